// A labelled drop-down list of [key, title] pairs.

export function render({model}) {
  const row = document.createElement("label")
  row.className = "pair" // not "choice": Panel gives that to what stands around it
  const name = document.createElement("span")
  name.textContent = model.label
  const list = document.createElement("select")
  list.setAttribute("aria-label", model.label)
  row.append(name, list)

  const fill = () => {
    list.replaceChildren(...model.options.map(([key, title]) => new Option(title, key)))
    list.value = model.value
    list.title = list.selectedOptions[0]?.textContent ?? ""
  }
  list.addEventListener("change", () => {
    model.value = list.value
    fill()
  })
  model.on(["options", "value"], fill)
  fill()
  return row
}
