// A button for each preset, a quieter one that resets, and one that undoes while there is anything.

export function render({model}) {
  const box = document.createElement("div")
  box.className = "presets"
  const button = (label, description, pressed) => {
    const el = document.createElement("button")
    el.type = "button"
    el.textContent = label
    el.title = `${label}: ${description}`
    el.addEventListener("click", () => model.send_msg({pressed}))
    box.append(el)
    return el
  }
  let last
  model.buttons.forEach(([label, description], i) => { last = button(label, description, i) })
  last.className = "quiet"
  const undo = button("Undo", "", "undo")
  undo.className = "quiet"
  const show = () => {
    undo.hidden = !model.undoable
    undo.title = `Undo: the labels before ${model.undoable}`
  }
  model.on("undoable", show)
  show()
  return box
}
