// The address bar follows the view; a menu copies the link and saves what is shown.
//
// Pictures are put together here from the canvases of the figures. Everything else is asked
// of Python by a message and comes back as one.

const everything = (root, found = []) => {
  for (const el of root.querySelectorAll("*")) {
    found.push(el)
    if (el.shadowRoot) { everything(el.shadowRoot, found) }
  }
  return found
}

const seen = (el) => {
  const {width, height} = el.getBoundingClientRect()
  return width > 1 && height > 1
}

const save = (content, name, type) => {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], {type}))
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60000)
}

// What stands beside figures and belongs to them: names of curves and of lines, titles.
const BESIDE = ".legend, .strip, .pictured"

// How strongly an element is drawn, all that it stands in included.
const opacity = (el) => {
  let part = 1
  for (; el; el = el.parentElement ?? el.getRootNode().host) { part *= Number(getComputedStyle(el).opacity) }
  return part
}

// Words of an element, one by one where they stand.
function write(pen, el) {
  for (const node of [el, ...everything(el), ...(el.shadowRoot ? everything(el.shadowRoot) : [])].flatMap((e) => [...e.childNodes])) {
    const parent = node.parentElement ?? node.getRootNode().host
    if (node.nodeType !== Node.TEXT_NODE || !parent || /^(STYLE|SCRIPT)$/.test(parent.tagName) || !seen(parent)) {
      continue
    }
    const style = getComputedStyle(parent)
    pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`
    pen.fillStyle = style.color
    pen.globalAlpha = opacity(parent)
    for (const {0: word, index} of node.textContent.matchAll(/\S+/g)) {
      const range = document.createRange()
      range.setStart(node, index)
      range.setEnd(node, index + word.length)
      const {left, top, height} = range.getBoundingClientRect()
      const {fontBoundingBoxAscent: up, fontBoundingBoxDescent: down} = pen.measureText(word)
      pen.fillText(word, left, top + (height - up - down) / 2 + up)
    }
    pen.globalAlpha = 1
  }
}

function marks(pen, el) {
  for (const stroke of everything(el.shadowRoot ?? el).filter((e) => e.matches(".stroke, .strip i") && seen(e.parentElement))) {
    const {left, top, width, height} = stroke.getBoundingClientRect()
    const style = getComputedStyle(stroke)
    if (stroke.matches(".stroke")) {
      pen.strokeStyle = style.borderTopColor
      pen.lineWidth = parseFloat(style.borderTopWidth)
      pen.setLineDash(stroke.matches(".dashed") ? [4, 4] : [])
      pen.beginPath()
      pen.moveTo(left, top + pen.lineWidth / 2)
      pen.lineTo(left + width, top + pen.lineWidth / 2)
      pen.stroke()
    } else {
      pen.fillStyle = style.backgroundColor
      pen.fillRect(left, top, width, height)
    }
  }
}

// A long text in lines no longer than so many pixels.
function lines_of(pen, text, width) {
  const lines = [""]
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim()
    if (pen.measureText(longer).width <= width || lines.at(-1) === "") {
      lines[lines.length - 1] = longer
    } else {
      lines.push(word)
    }
  }
  return lines
}

// All figures on show as one canvas, at the resolution of the screen.
function picture(caption, {background, text}) {
  const all = everything(document)
  const canvases = all.filter((el) => el.tagName === "CANVAS" && el.width > 20 && seen(el))
  if (!canvases.length) { return null }
  const beside = all.filter((el) => el.matches(BESIDE) && seen(el))
  const boxes = [...canvases, ...beside].map((el) => el.getBoundingClientRect())
  const left = Math.min(...boxes.map((b) => b.left)), right = Math.max(...boxes.map((b) => b.right))
  const top = Math.min(...boxes.map((b) => b.top)), bottom = Math.max(...boxes.map((b) => b.bottom))
  const scale = window.devicePixelRatio || 1
  const canvas = document.createElement("canvas")
  const pen = canvas.getContext("2d")
  const font = "500 13px Roboto, sans-serif"
  pen.font = font
  const lines = lines_of(pen, caption, right - left - 16)
  const head = 10 + 18 * lines.length
  canvas.width = Math.round(scale * (right - left))
  canvas.height = Math.round(scale * (bottom - top + head))
  pen.scale(scale, scale)
  pen.fillStyle = background
  pen.fillRect(0, 0, right - left, bottom - top + head)
  pen.fillStyle = text
  pen.font = font
  lines.forEach((line, i) => pen.fillText(line, 8, 20 + 18 * i))
  pen.translate(-left, head - top)
  for (const el of canvases) {
    const box = el.getBoundingClientRect()
    pen.drawImage(el, box.left, box.top, box.width, box.height)
  }
  for (const el of beside) {
    marks(pen, el)
    write(pen, el)
  }
  return canvas
}

export function render({model}) {
  const box = document.createElement("div")
  box.className = "share"
  const opener = document.createElement("button")
  opener.type = "button"
  opener.className = "opener"
  opener.textContent = "Share"
  opener.setAttribute("aria-haspopup", "dialog")
  const menu = document.createElement("div")
  menu.className = "menu"
  menu.setAttribute("role", "dialog")
  menu.setAttribute("aria-label", "Share")
  menu.hidden = true
  const items = document.createElement("div")
  const field = document.createElement("textarea")
  field.readOnly = true
  field.rows = 3
  field.hidden = true
  const said = document.createElement("p")
  said.setAttribute("role", "status")
  menu.append(items, field, said)
  box.append(opener, menu)

  const address = (query) => `${location.origin}${location.pathname}${query ? `?${query}` : ""}`

  const show = (open) => {
    menu.hidden = !open
    opener.setAttribute("aria-expanded", open)
    if (open) {
      const {bottom, right} = opener.getBoundingClientRect()
      menu.style.top = `${bottom + 6}px`
      menu.style.right = `${Math.max(window.innerWidth - right, 8)}px`
      say("")
      items.querySelector("button")?.focus()
    }
  }
  const say = (sentence) => {
    said.textContent = sentence
    field.hidden = true
  }

  // Without the clipboard, which pages served over plain http do not have, the text stands
  // in a field, selected.
  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text)
      say(`${what} copied.`)
      return
    } catch {
      say("")
    }
    field.value = text
    field.hidden = false
    field.setAttribute("aria-label", what)
    field.focus()
    field.select()
    let done = false
    try { done = document.execCommand("copy") } catch { done = false }
    said.textContent = done ? `${what} copied.` : `Copy the ${what.toLowerCase()} from here: Ctrl+C.`
  }

  const take_picture = () => {
    const canvas = picture(model.caption, {background: model.paper, text: model.ink})
    if (canvas === null) {
      say("There is no figure on this page.")
      return
    }
    const name = `${model.file}.png`
    canvas.toBlob((blob) => {
      save(blob, name)
      say(`Saved ${name}.`)
    }, "image/png")
  }

  const ask = (want, format = "") => {
    say("Preparing\u2026")
    model.send_msg({want, format})
  }
  model.on("msg:custom", (event) => {
    const {kind, text, name, type, content} = event
    if (kind === "link") {
      follow(text)
      copy(address(text), "Link")
    } else if (kind === "python") {
      copy(text, "Python")
    } else if (kind === "file") {
      save(content, name, type)
      say(`Saved ${name}.`)
    } else {
      say(text)
    }
  })

  const ACTIONS = {link: () => ask("link"), png: take_picture}

  const draw = () => {
    items.replaceChildren(...model.actions.map(([title, buttons]) => {
      const row = document.createElement("div")
      row.className = "action"
      const name = document.createElement("span")
      name.textContent = title
      row.append(name, ...buttons.map(([label, want, format, about]) => {
        const button = document.createElement("button")
        button.type = "button"
        button.textContent = label
        button.title = about
        button.setAttribute("aria-label", `${title}: ${label}`)
        button.addEventListener("click", () => (ACTIONS[want] ?? (() => ask(want, format)))())
        return button
      }))
      return row
    }))
  }

  opener.addEventListener("click", () => show(menu.hidden))
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      show(false)
      opener.focus()
      event.stopPropagation()
    }
  })
  const outside = (event) => {
    if (!menu.hidden && !event.composedPath().includes(box)) { show(false) }
  }
  document.addEventListener("pointerdown", outside, true)

  // A link that somebody typed stays as it is until the view changes.
  const follow = (query) => history.replaceState(history.state, "", address(query) + location.hash)
  model.on("query", () => follow(model.query))
  model.on("actions", draw)
  model.on("remove", () => document.removeEventListener("pointerdown", outside, true))
  show(false)
  draw()
  return box
}
