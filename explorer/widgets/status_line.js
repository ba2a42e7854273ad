// The line under the figures: what is under the cursor, whether labels extrapolate, and
// how long the last move took to be painted.
//
// Figures speak to it by events named after `channel`: it must not be part of their
// layout, which BokehJS computes anew whenever a text of its own changes.

export function render({model}) {
  const line = document.createElement("div")
  line.className = "line"
  const readout = document.createElement("span")
  readout.className = "readout"
  const note = document.createElement("span")
  note.className = "note"
  const latency = document.createElement("span")
  latency.className = "latency"
  latency.title = "from the move of a slider to the paint"
  const working = document.createElement("span")
  working.className = "working"
  working.setAttribute("role", "status")
  line.append(readout, working, note, latency)

  let away = true // the cursor is elsewhere
  const show_readout = (event) => {
    const {at, unit, values} = event.detail ?? {}
    away = at === undefined
    readout.replaceChildren()
    if (at === undefined) {
      readout.textContent = model.star || model.hint
      readout.title = model.star
      readout.className = model.star ? "readout star" : "readout hint"
      return
    }
    readout.title = ""
    readout.className = "readout"
    const strong = (text) => {
      const el = document.createElement("b")
      el.textContent = text
      return el
    }
    readout.append(strong(at), ` ${unit}`)
    for (const [name, value] of values) {
      readout.append("\u2003", `${name} `, strong(value))
    }
  }
  const show_latency = (event) => { latency.textContent = `${event.detail} ms` }
  const show_note = () => {
    note.textContent = model.note
    note.title = model.note
    note.classList.toggle("amber", model.extrapolates)
  }

  document.addEventListener(`${model.channel}-cursor`, show_readout)
  document.addEventListener(`${model.channel}-painted`, show_latency)
  model.on("remove", () => {
    document.removeEventListener(`${model.channel}-cursor`, show_readout)
    document.removeEventListener(`${model.channel}-painted`, show_latency)
  })
  const show_working = () => { working.textContent = model.working ? `${model.working}\u2026` : "" }
  model.on("working", show_working)
  model.on(["star", "hint"], () => { if (away) { show_readout({}) } })
  model.on(["note", "extrapolates"], show_note)
  show_readout({})
  show_note()
  show_working()
  return line
}
