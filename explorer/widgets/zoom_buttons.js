// Previous and next zoom, by buttons and by the keys [ and ].

export function render({model}) {
  const box = document.createElement("div")
  box.className = "zooms"
  const button = (text, name, key, step) => {
    const el = document.createElement("button")
    el.type = "button"
    el.textContent = text
    el.title = `${name} (key ${key})`
    el.setAttribute("aria-label", name)
    el.addEventListener("click", () => model.send_msg({step}))
    return el
  }
  const back = button("\u25c2", "Previous zoom", "[", -1)
  const forth = button("\u25b8", "Next zoom", "]", 1)
  box.append(back, forth)

  const show = () => {
    back.disabled = !model.back
    forth.disabled = !model.forth
  }
  const pressed = (event) => {
    // Where text is typed a bracket is a bracket; pages that are not open have no place.
    const typing = event.composedPath().some((el) => /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName ?? "") && el.type !== "range")
    if (typing || event.ctrlKey || event.metaKey || box.getClientRects().length === 0) {
      return
    }
    if (event.key === "[" && model.back) {
      model.send_msg({step: -1})
    } else if (event.key === "]" && model.forth) {
      model.send_msg({step: 1})
    }
  }
  document.addEventListener("keydown", pressed)
  model.on("remove", () => document.removeEventListener("keydown", pressed))
  model.on(["back", "forth"], show)
  show()
  return box
}
