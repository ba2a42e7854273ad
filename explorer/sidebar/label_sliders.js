// Labels: name, slider over the trained range, box for any sane value, unit.
//
// While a slider moves, values are sent at most once per animation frame; `settled` counts
// moves that have ended. What Python tells of a row is shown if Python has seen the row's last
// move, and not during a drag.

const tidy = (value, decimals) => {
  const short = value.toFixed(decimals)
  const long = String(Number(value.toFixed(decimals + 3)))
  return Number(short) === Number(long) ? short : long
}

const short = (value) => String(Number(value.toPrecision(4)))

function label(spec, hub) {
  const row = document.createElement("div")
  row.className = "row"

  const name = document.createElement("span")
  name.className = "name"
  const [stem, subscript] = spec.title.split("_")
  name.append(stem)
  if (subscript) {
    const sub = document.createElement("sub")
    sub.textContent = subscript
    name.append(sub)
  }

  const slider = document.createElement("input")
  slider.type = "range"
  slider.min = spec.low
  slider.max = spec.high
  slider.step = "any"
  slider.setAttribute("aria-label", `${spec.title} slider`)

  const box = document.createElement("input")
  box.type = "text"
  box.inputMode = "decimal"
  box.spellcheck = false
  box.autocomplete = "off"
  box.setAttribute("aria-label", spec.title)

  const unit = document.createElement("span")
  unit.className = "unit"
  unit.textContent = spec.unit

  row.append(name, slider, box, unit)

  let dragging = false
  let editing = false
  let frame = null
  let queued = null

  const show = (value) => {
    const low = value < spec.low
    const high = value > spec.high
    slider.value = value
    const part = (Math.min(Math.max(value, spec.low), spec.high) - spec.low) / (spec.high - spec.low)
    slider.style.setProperty("--part", `${100 * part}%`)
    slider.setAttribute("aria-valuetext", `${tidy(value, spec.decimals)} ${spec.unit}`)
    row.classList.toggle("low", low)
    row.classList.toggle("high", high)
    const beyond = !low && !high && hub.beyond() !== ""
    row.classList.toggle("beyond", beyond)
    const range = `trained ${short(spec.low)} to ${short(spec.high)}${spec.unit ? ` ${spec.unit}` : ""}`
    row.title = `${spec.description}; ${range}${low || high ? ": extrapolation" : ""}${beyond ? `; ${hub.beyond()}: extrapolation` : ""}`
    if (!editing) {
      box.value = tidy(value, spec.decimals)
    }
  }

  const send = (value, settled) => {
    queued = value
    if (settled) {
      flush()
      hub.settle()
    } else if (frame === null) {
      frame = requestAnimationFrame(flush)
    }
  }

  const flush = () => {
    if (frame !== null) {
      cancelAnimationFrame(frame)
      frame = null
    }
    if (queued !== null) {
      window.spectrabridge_moved = performance.now()
      hub.move(queued)
      queued = null
    }
  }

  const refuse = (sentence) => {
    row.classList.add("refused")
    hub.refuse(sentence)
  }

  const step = (from, steps, low, high) => {
    // Round to a fine multiple so that repeated steps do not pile up rounding errors.
    const next = Math.round((from + steps * spec.step) * 1e6) / 1e6
    return Math.min(Math.max(next, low), high)
  }

  const steps = (event) => {
    const many = event.shiftKey ? 10 : 1
    switch (event.key) {
      case "ArrowUp": return many
      case "ArrowDown": return -many
      case "PageUp": return 10
      case "PageDown": return -10
      default: return 0
    }
  }

  // The slider's place as a fifth of a step, inside the trained range.
  const place = () => {
    const fine = spec.step / 5
    const n = Math.round(Number(slider.value) / fine)
    const inside = Math.min(Math.max(n, Math.ceil(spec.low / fine)), Math.floor(spec.high / fine))
    return Math.round(inside * fine * 1e6) / 1e6
  }

  slider.addEventListener("pointerdown", () => { dragging = true })
  slider.addEventListener("input", () => {
    const value = place()
    show(value)
    send(value, false)
  })
  slider.addEventListener("change", () => {
    dragging = false
    send(place(), true)
  })
  slider.addEventListener("pointerup", () => { dragging = false })
  slider.addEventListener("pointercancel", () => { dragging = false })
  slider.addEventListener("keydown", (event) => {
    let n = steps(event)
    if (event.key === "ArrowRight") {
      n = event.shiftKey ? 10 : 1
    } else if (event.key === "ArrowLeft") {
      n = event.shiftKey ? -10 : -1
    }
    if (n !== 0) {
      event.preventDefault()
      const value = step(place(), n, spec.low, spec.high)
      show(value)
      send(value, true)
    }
  })

  const read = () => {
    const text = box.value.trim().replace(",", ".").replace("\u2212", "-")
    const value = Number(text)
    if (text === "" || !Number.isFinite(value)) {
      refuse(`Expected a number for ${spec.title}; found "${box.value.trim()}".`)
      return null
    }
    if (value < spec.hard_low || value > spec.hard_high) {
      const unit = spec.unit ? ` ${spec.unit}` : ""
      refuse(`${spec.title} must be between ${spec.hard_low} and ${spec.hard_high}${unit}; found ${value}.`)
      return null
    }
    row.classList.remove("refused")
    return value
  }

  const commit = () => {
    if (!editing) {
      return
    }
    if (box.value === tidy(hub.value(), spec.decimals)) {
      row.classList.remove("refused")
      return
    }
    const value = read()
    if (value !== null) {
      send(value, true)
      show(value)
    }
  }

  box.addEventListener("focus", () => {
    editing = true
    box.select()
  })
  box.addEventListener("blur", () => {
    commit()
    editing = false
    row.classList.remove("refused")
    show(hub.value())
  })
  box.addEventListener("keydown", (event) => {
    const n = steps(event)
    if (event.key === "Enter") {
      commit()
      box.select()
    } else if (event.key === "Escape") {
      box.value = tidy(hub.value(), spec.decimals)
      row.classList.remove("refused")
    } else if (n !== 0) {
      event.preventDefault()
      const from = read()
      if (from !== null) {
        const value = step(from, n, spec.hard_low, spec.hard_high)
        box.value = tidy(value, spec.decimals)
        send(value, true)
        show(value)
      }
    }
  })

  name.addEventListener("dblclick", () => {
    send(spec.reference, true)
    show(spec.reference)
  })

  const told = () => {
    if (!dragging) {
      if (editing && document.activeElement) {
        box.value = tidy(hub.value(), spec.decimals)
      }
      show(hub.value())
    }
  }

  // What was trained, as a band below the track; the thumb's middle stays 6 px off the ends.
  const band = () => {
    const [low, high] = hub.inside() ?? [spec.low, spec.high]
    const place = (value) => {
      const part = (Math.min(Math.max(value, spec.low), spec.high) - spec.low) / (spec.high - spec.low)
      return `calc(6px + ${part} * (100% - 12px))`
    }
    slider.style.setProperty("--from", place(low))
    slider.style.setProperty("--to", place(high))
    const slack = 0.02 * (spec.high - spec.low)
    slider.classList.toggle("banded", low > spec.low + slack || high < spec.high - slack)
  }
  band()
  show(hub.value())
  return {row, told, band, marked: () => show(dragging ? place() : hub.value())}
}

export function render({model}) {
  const box = document.createElement("div")
  // What each row shows: [count of its moves, value].
  const known = model.told.map((pair, i) => {
    const moved = model.moved[i]
    return [...(moved && moved[0] > pair[0] ? moved : pair)]
  })
  const labels = model.rows.map((spec, i) => label(spec, {
    value: () => known[i][1],
    beyond: () => model.beyond[i] ?? "",
    inside: () => model.inside[i],
    move: (value) => {
      known[i] = [known[i][0] + 1, value]
      model.moved = known.map((pair) => [...pair])
    },
    settle: () => { model.settled += 1 },
    refuse: (sentence) => {
      model.refused = ""
      model.refused = sentence
    },
  }))
  model.on("told", () => model.told.forEach(([count, value], i) => {
    if (count >= known[i][0] && (count > known[i][0] || value !== known[i][1])) {
      known[i] = [count, value]
      labels[i].told()
    }
  }))
  // Another view of the same rows has moved one.
  model.on("moved", () => model.moved.forEach(([count, value], i) => {
    if (count > known[i][0]) {
      known[i] = [count, value]
      labels[i].told()
    }
  }))
  model.on("inside", () => labels.forEach(({band}) => band()))
  model.on("beyond", () => labels.forEach(({marked}) => marked()))
  box.append(...labels.map(({row}) => row))
  return box
}
