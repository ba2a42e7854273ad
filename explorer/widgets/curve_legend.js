// Names of the curves with their strokes; a click hides a curve or shows it again.

export function render({model}) {
  const box = document.createElement("div")
  box.className = "legend"

  const draw = () => {
    const buttons = model.curves.map(([name, colour, dashed]) => {
      const shown = !model.hidden.includes(name)
      const button = document.createElement("button")
      button.type = "button"
      button.setAttribute("aria-pressed", shown)
      button.title = shown ? `Hide ${name}` : `Show ${name}`
      const stroke = document.createElement("span")
      stroke.className = dashed ? "stroke dashed" : "stroke"
      stroke.style.borderTopColor = colour
      button.append(stroke, name)
      button.addEventListener("click", () => {
        model.hidden = shown ? [...model.hidden, name] : model.hidden.filter((n) => n !== name)
      })
      return button
    })
    const at = [...box.children].indexOf(box.getRootNode().activeElement)
    box.replaceChildren(...buttons)
    buttons[at]?.focus()
  }
  model.on(["curves", "hidden"], draw)
  draw()
  return box
}
