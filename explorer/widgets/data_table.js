// A table: sorted here, chosen by mouse or keyboard, and drawn only as far as it is seen.

const BEYOND = 10 // rows drawn above and below what is seen

export function render({model}) {
  const HEIGHT = model.row_height
  const frame = document.createElement("div")
  frame.className = "frame"
  frame.style.setProperty("--row-height", `${HEIGHT}px`)
  frame.classList.toggle("compact", HEIGHT < 20)
  frame.tabIndex = 0
  const table = document.createElement("table")
  const head = document.createElement("thead")
  const body = document.createElement("tbody")
  const nothing = document.createElement("div")
  nothing.className = "empty"
  table.append(head, body)
  frame.append(table, nothing)

  const known = () => model.sorting[0] < model.columns.length ? [...model.sorting] : null
  let sorted = known() // [column, 1 or -1]
  let order = []

  const cell = (column, i) => {
    const th = document.createElement("th")
    th.scope = "col"
    th.classList.toggle("number", column.number)
    th.classList.toggle("edge", edge(i))
    if (column.colour) {
      // Lighter on dark, darker on light.
      th.style.color = `color-mix(in srgb, ${column.colour} 80%, var(--panel-on-surface-color))`
    }
    const button = document.createElement("button")
    button.type = "button"
    const mark = sorted?.[0] === i ? (sorted[1] > 0 ? " \u25b4" : " \u25be") : ""
    button.textContent = column.title + mark
    button.title = column.about || `Sort by ${column.title}`
    const name = column.group ? `${column.group}, ${column.title}` : column.title
    button.setAttribute("aria-label", `Sort by ${name}`)
    th.setAttribute("aria-sort", mark ? (sorted[1] > 0 ? "ascending" : "descending") : "none")
    button.addEventListener("click", () => {
      // Up, down, and back to the order of arrival.
      if (sorted?.[0] !== i) {
        sorted = [i, 1]
      } else {
        sorted = sorted[1] > 0 ? [i, -1] : null
      }
      titles()
      head.querySelectorAll("tr.titles button")[i].focus()
      arrange()
      model.sorting = sorted ?? []
    })
    th.append(button)
    return th
  }

  // Where a group of columns begins, or one ends.
  const edge = (i) => i > 0 && (model.columns[i].group !== model.columns[i - 1].group)

  const titles = () => {
    const rows = []
    if (model.columns.some((c) => c.group)) {
      const groups = document.createElement("tr")
      for (let i = 0; i < model.columns.length;) {
        let n = 1
        while (i + n < model.columns.length && model.columns[i + n].group === model.columns[i].group) {
          n += 1
        }
        const th = document.createElement("th")
        th.colSpan = n
        th.className = "group"
        th.classList.toggle("edge", edge(i))
        th.textContent = model.columns[i].group
        if (model.columns[i].group) {
          th.scope = "colgroup"
        }
        groups.append(th)
        i += n
      }
      rows.push(groups)
    }
    const line = document.createElement("tr")
    line.className = "titles"
    line.append(...model.columns.map(cell))
    rows.push(line)
    head.replaceChildren(...rows)
  }

  const arrange = () => {
    const newer = new Map(model.changed.map((row) => [row.key, row]))
    order = model.rows.map((row) => newer.get(row.key) ?? row)
    if (sorted) {
      const [column, sign] = sorted
      const value = (row) => row.cells[column][1]
      const compare = (a, b) => {
        if (a === null || b === null) {
          return (a === null) - (b === null)
        }
        return sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b)))
      }
      order.sort((a, b) => compare(value(a), value(b)))
    }
    nothing.textContent = order.length ? "" : model.empty
    nothing.hidden = order.length > 0 || !model.empty
    draw()
  }

  const space = (rows) => {
    const tr = document.createElement("tr")
    tr.className = "space"
    tr.setAttribute("aria-hidden", "true")
    const td = document.createElement("td")
    td.colSpan = model.columns.length
    td.style.height = `${rows * HEIGHT}px`
    tr.append(td)
    return tr
  }

  const draw = () => {
    const first = Math.max(0, Math.floor(frame.scrollTop / HEIGHT) - BEYOND)
    const seen = Math.ceil((frame.clientHeight || 400) / HEIGHT) + 2 * BEYOND
    const last = Math.min(order.length, first + seen)
    const rows = order.slice(first, last).map((row, i) => {
      const tr = document.createElement("tr")
      tr.className = row.mark
      tr.dataset.key = row.key
      tr.setAttribute("aria-rowindex", first + i + 2)
      if (model.selectable) {
        tr.setAttribute("aria-selected", row.key === model.chosen)
      }
      tr.append(...row.cells.map(([text, , about], k) => {
        const td = document.createElement("td")
        td.classList.toggle("number", model.columns[k]?.number)
        td.classList.toggle("edge", k < model.columns.length && edge(k))
        td.textContent = text
        td.title = about || text
        return td
      }))
      return tr
    })
    if (first > 0) {
      rows.unshift(space(first))
    }
    if (last < order.length) {
      rows.push(space(order.length - last))
    }
    body.replaceChildren(...rows)
    table.setAttribute("aria-rowcount", order.length + 1)
  }

  const show = (at) => {
    // The head stays on top of the rows.
    const top = at * HEIGHT
    const room = frame.clientHeight - head.offsetHeight
    if (top < frame.scrollTop) {
      frame.scrollTop = top
    } else if (top + HEIGHT > frame.scrollTop + room) {
      frame.scrollTop = top + HEIGHT - room
    }
  }

  const choose = (at) => {
    const row = order[Math.min(Math.max(at, 0), order.length - 1)]
    if (row) {
      model.chosen = row.key
      show(order.indexOf(row))
      draw()
    }
  }

  frame.addEventListener("scroll", () => draw())
  body.addEventListener("click", (event) => {
    const key = event.target.closest("tr")?.dataset.key
    const at = order.findIndex((row) => row.key === key)
    if (model.selectable && at >= 0) {
      choose(at)
    }
  })
  frame.addEventListener("keydown", (event) => {
    if (!model.selectable || event.target.tagName === "BUTTON" && event.key === " ") {
      return
    }
    const now = order.findIndex((row) => row.key === model.chosen)
    const page = Math.max(1, Math.floor((frame.clientHeight - head.offsetHeight) / HEIGHT) - 1)
    const to = {
      ArrowDown: now + 1,
      ArrowUp: now < 0 ? 0 : now - 1,
      PageDown: now + page,
      PageUp: now - page,
      Home: 0,
      End: order.length - 1,
    }[event.key]
    if (to !== undefined) {
      event.preventDefault()
      choose(to)
    }
  })
  const resized = new ResizeObserver(() => draw())
  resized.observe(frame)
  model.on("remove", () => resized.disconnect())

  const name = () => {
    table.setAttribute("aria-label", model.label)
    table.setAttribute("role", model.selectable ? "grid" : "table")
    frame.classList.toggle("selectable", model.selectable)
    if (model.selectable) {
      frame.setAttribute("aria-label", `${model.label}; arrow keys choose a row`)
      frame.setAttribute("role", "group")
    }
  }
  let n_columns = model.columns.length
  model.on("columns", () => {
    // Other titles of the same columns leave the order alone.
    if (model.columns.length !== n_columns) {
      n_columns = model.columns.length
      sorted = null
      model.sorting = []
    }
    titles()
    arrange()
  })
  model.on("sorting", () => {
    if (String(known()) !== String(sorted)) {
      sorted = known()
      titles()
      arrange()
    }
  })
  model.on(["rows", "changed"], arrange)
  model.on("chosen", () => {
    const at = order.findIndex((row) => row.key === model.chosen)
    if (at >= 0) {
      show(at)
    }
    draw()
  })
  model.on(["label", "selectable", "empty"], () => { name(); arrange() })
  name()
  titles()
  arrange()
  return frame
}
