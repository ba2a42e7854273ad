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

  const open = (key) => {
    wait(key !== model.value)
    model.value = key
  }

  const draw = () => {
    const at = [...list.children].indexOf(list.getRootNode().activeElement)
    list.replaceChildren(...model.pages.map(([key, title, shortcut]) => {
      const button = document.createElement("button")
      button.type = "button"
      button.textContent = title
      button.setAttribute("aria-keyshortcuts", `g ${shortcut}`)
      if (key === model.value) {
        button.setAttribute("aria-current", "page")
      }
      button.addEventListener("click", () => open(key))
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

  // A "g" and then the letter of a page open it. The letters are taken before pages with keys of
  // their own hear them.
  let awaited = false
  const pressed = (event) => {
    const typing = event.composedPath().some((el) =>
      /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName ?? "") && el.type !== "range")
    if (typing || event.ctrlKey || event.metaKey || event.altKey) { return }
    const page = awaited && model.pages.find(([, , shortcut]) => shortcut === event.key)
    awaited = event.key === "g" && !awaited
    if (page) {
      open(page[0])
      event.preventDefault()
      event.stopPropagation()
    }
  }
  document.addEventListener("keydown", pressed, true)
  model.on("remove", () => document.removeEventListener("keydown", pressed, true))

  model.on(["pages", "value"], draw)
  model.on(["opened", "busy"], () => wait(false))
  draw()
  return list
}
