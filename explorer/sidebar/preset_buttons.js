// A button for each preset, and a quieter last one that resets.

export function render({model}) {
  const box = document.createElement("div")
  box.className = "presets"
  model.buttons.forEach(([label, description], pressed) => {
    const el = document.createElement("button")
    el.type = "button"
    el.textContent = label
    el.title = `${label}: ${description}`
    el.addEventListener("click", () => model.send_msg({pressed}))
    box.append(el)
  })
  return box
}
