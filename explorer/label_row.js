// One label: name, slider over the trained range, box for any sane value, unit.
//
// While the slider moves, `value` is sent at most once per animation frame;
// `settled` counts moves that have ended. Values from Python are ignored during a drag.

const tidy = (value, decimals) => {
  const short = value.toFixed(decimals)
  const long = String(Number(value.toFixed(decimals + 3)))
  return Number(short) === Number(long) ? short : long
}

const short = (value) => String(Number(value.toPrecision(4)))

export function render({model, el}) {
  const row = document.createElement("div")
  row.className = "row"

  const name = document.createElement("span")
  name.className = "name"
  const [stem, subscript] = model.title.split("_")
  name.append(stem)
  if (subscript) {
    const sub = document.createElement("sub")
    sub.textContent = subscript
    name.append(sub)
  }

  const slider = document.createElement("input")
  slider.type = "range"
  slider.min = model.low
  slider.max = model.high
  slider.step = "any"
  slider.setAttribute("aria-label", `${model.title} slider`)

  const box = document.createElement("input")
  box.type = "text"
  box.inputMode = "decimal"
  box.spellcheck = false
  box.autocomplete = "off"
  box.setAttribute("aria-label", model.title)

  const unit = document.createElement("span")
  unit.className = "unit"
  unit.textContent = model.unit

  row.append(name, slider, box, unit)

  let dragging = false
  let editing = false
  let frame = null
  let queued = null

  const show = (value) => {
    const low = value < model.low
    const high = value > model.high
    slider.value = value
    const part = (Math.min(Math.max(value, model.low), model.high) - model.low) / (model.high - model.low)
    slider.style.setProperty("--part", `${100 * part}%`)
    slider.setAttribute("aria-valuetext", `${tidy(value, model.decimals)} ${model.unit}`)
    row.classList.toggle("low", low)
    row.classList.toggle("high", high)
    const beyond = !low && !high && model.beyond !== ""
    row.classList.toggle("beyond", beyond)
    const range = `trained ${short(model.low)} to ${short(model.high)}${model.unit ? ` ${model.unit}` : ""}`
    row.title = `${model.description}; ${range}${low || high ? ": extrapolation" : ""}${beyond ? `; ${model.beyond}: extrapolation` : ""}`
    if (!editing) {
      box.value = tidy(value, model.decimals)
    }
  }

  const send = (value, settled) => {
    queued = value
    if (settled) {
      flush()
      model.settled += 1
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
      model.value = queued
      queued = null
    }
  }

  const refuse = (sentence) => {
    row.classList.add("refused")
    model.refused = ""
    model.refused = sentence
  }

  const step = (from, steps, low, high) => {
    // Round to a fine multiple so that repeated steps do not pile up rounding errors.
    const next = Math.round((from + steps * model.step) * 1e6) / 1e6
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
    const fine = model.step / 5
    const n = Math.round(Number(slider.value) / fine)
    const inside = Math.min(Math.max(n, Math.ceil(model.low / fine)), Math.floor(model.high / fine))
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
      const value = step(place(), n, model.low, model.high)
      show(value)
      send(value, true)
    }
  })

  const read = () => {
    const text = box.value.trim().replace(",", ".").replace("\u2212", "-")
    const value = Number(text)
    if (text === "" || !Number.isFinite(value)) {
      refuse(`Expected a number for ${model.title}; found "${box.value.trim()}".`)
      return null
    }
    if (value < model.hard_low || value > model.hard_high) {
      const unit = model.unit ? ` ${model.unit}` : ""
      refuse(`${model.title} must be between ${model.hard_low} and ${model.hard_high}${unit}; found ${value}.`)
      return null
    }
    row.classList.remove("refused")
    return value
  }

  const commit = () => {
    if (!editing) {
      return
    }
    if (box.value === tidy(model.value, model.decimals)) {
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
    show(model.value)
  })
  box.addEventListener("keydown", (event) => {
    const n = steps(event)
    if (event.key === "Enter") {
      commit()
      box.select()
    } else if (event.key === "Escape") {
      box.value = tidy(model.value, model.decimals)
      row.classList.remove("refused")
    } else if (n !== 0) {
      event.preventDefault()
      const from = read()
      if (from !== null) {
        const value = step(from, n, model.hard_low, model.hard_high)
        box.value = tidy(value, model.decimals)
        send(value, true)
        show(value)
      }
    }
  })

  name.addEventListener("dblclick", () => {
    send(model.reference, true)
    show(model.reference)
  })

  model.on("value", () => {
    if (!dragging) {
      if (editing && document.activeElement) {
        box.value = tidy(model.value, model.decimals)
      }
      show(model.value)
    }
  })

  // What was trained, as a band below the track; the thumb's middle stays 6 px off the ends.
  const band = () => {
    const [low, high] = model.inside ?? [model.low, model.high]
    const place = (value) => {
      const part = (Math.min(Math.max(value, model.low), model.high) - model.low) / (model.high - model.low)
      return `calc(6px + ${part} * (100% - 12px))`
    }
    slider.style.setProperty("--from", place(low))
    slider.style.setProperty("--to", place(high))
    const slack = 0.02 * (model.high - model.low)
    slider.classList.toggle("banded", low > model.low + slack || high < model.high - slack)
  }
  model.on("inside", band)
  band()

  model.on("beyond", () => show(dragging ? place() : model.value))

  show(model.value)
  return row
}
