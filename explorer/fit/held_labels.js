// A line of text that names labels to hold; what is wrong with it stands below.

export function render({model}) {
  const box = document.createElement("div")
  box.className = "held"
  const row = document.createElement("label")
  row.className = "pair" // as drop-down lists have it
  const name = document.createElement("span")
  name.textContent = model.label
  const input = document.createElement("input")
  input.type = "text"
  input.spellcheck = false
  input.autocomplete = "off"
  input.placeholder = model.example
  input.title = model.about
  input.setAttribute("aria-label", model.label)
  const problem = document.createElement("div")
  problem.className = "problem"
  problem.setAttribute("role", "alert")
  row.append(name, input)
  box.append(row, problem)

  const fill = () => { input.value = model.text }
  const tell = () => {
    problem.textContent = model.problem
    problem.hidden = model.problem === ""
    input.setAttribute("aria-invalid", String(model.problem !== ""))
  }
  // Sent when it is done, by Enter or by leaving, not at every letter.
  input.addEventListener("change", () => { model.text = input.value })
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { fill() }
    event.stopPropagation() // keys of the page are not for text
  })
  model.on("text", fill)
  model.on("problem", tell)
  fill()
  tell()
  return box
}
