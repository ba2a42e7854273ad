// Names of pages, one of which is open.

export function render({model}) {
  const list = document.createElement("nav")
  list.setAttribute("aria-label", "Pages")

  // The bar appears late by its style, so that quick answers show nothing.
  const bar = document.createElement("i")
  bar.className = "bar"
  bar.setAttribute("role", "progressbar")
  bar.setAttribute("aria-label", "Opening")
  bar.hidden = true
  const wait = (on) => { bar.hidden = !on && !model.busy }

  const draw = () => {
    const at = [...list.children].indexOf(list.getRootNode().activeElement)
    list.replaceChildren(...model.pages.map(([key, title]) => {
      const button = document.createElement("button")
      button.type = "button"
      button.textContent = title
      if (key === model.value) {
        button.setAttribute("aria-current", "page")
      }
      button.addEventListener("click", () => {
        wait(key !== model.value)
        model.value = key
      })
      return button
    }), bar)
    list.children[at]?.focus()
  }
  list.addEventListener("keydown", (event) => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[event.key]
    if (by) {
      const buttons = [...list.querySelectorAll("button")]
      const at = buttons.indexOf(list.getRootNode().activeElement)
      buttons[(at + by + buttons.length) % buttons.length].focus()
      event.preventDefault()
    }
  })
  model.on(["pages", "value"], draw)
  model.on(["opened", "busy"], () => wait(false))
  draw()
  return list
}
