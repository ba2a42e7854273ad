// A tour in five steps for who is here for the first time; the button with the question mark
// shows the keys, and the tour again.
//
// Nothing is covered: the page can be used while the tour is on.

const SEEN = "spectrabridge-tour"

const everything = (root, found = []) => {
  for (const el of root.querySelectorAll("*")) {
    found.push(el)
    if (el.shadowRoot) { everything(el.shadowRoot, found) }
  }
  return found
}

const shown = (el) => el !== undefined && el.getClientRects().length > 0

// What a step points at, by name; the union of several parts.
const TARGETS = {
  labels: (all) => all.filter((el) => el.matches(".labels")),
  flux: (all) => all.filter((el) => el.tagName === "CANVAS" && el.width > 250 && shown(el)).slice(0, 3),
  element: (all) => all.filter((el) => el.matches(".MuiToggleButtonGroup-root") && shown(el) && /Mg/.test(el.textContent)),
  star: (all) => all.filter((el) => shown(el) && (el.matches(".drop, .zone") || (el.tagName === "BUTTON" && /^Example star/.test(el.textContent)))),
  pages: (all) => all.filter((el) => el.matches("nav[aria-label=Pages], .opener")),
}

const place = (name) => {
  const boxes = TARGETS[name](everything(document)).filter(shown).map((el) => el.getBoundingClientRect())
  if (!boxes.length) { return null }
  const left = Math.max(Math.min(...boxes.map((b) => b.left)) - 4, 2)
  const top = Math.max(Math.min(...boxes.map((b) => b.top)) - 4, 2)
  return {
    left,
    top,
    width: Math.min(Math.max(...boxes.map((b) => b.right)) + 4, window.innerWidth - 2) - left,
    height: Math.min(Math.max(...boxes.map((b) => b.bottom)) + 4, window.innerHeight - 2) - top,
  }
}

const element = (tag, name = "", text = "") => {
  const el = document.createElement(tag)
  el.className = name
  el.textContent = text
  return el
}

const button = (text, action, name = "") => {
  const el = element("button", name, text)
  el.type = "button"
  el.addEventListener("click", action)
  return el
}

export function render({model}) {
  const box = element("div", "help")
  const opener = button("?", () => keys(help.hidden), "opener-help")
  opener.setAttribute("aria-label", "Keys and tour")
  opener.setAttribute("aria-haspopup", "dialog")
  opener.title = "Keys and tour (key ?)"

  const help = element("div", "card")
  help.setAttribute("role", "dialog")
  help.setAttribute("aria-label", "Keys")
  const table = element("dl")
  for (const [key, what] of model.keys) {
    table.append(element("dt", "", key), element("dd", "", what))
  }
  const actions = element("div", "buttons")
  actions.append(
    button("Take the tour", () => { keys(false); start() }, "first"),
    button("Close", () => { keys(false); opener.focus() }),
  )
  help.append(element("h2", "", "Keys"), table, actions)

  const ring = element("div", "ring")
  const card = element("div", "card step")
  card.setAttribute("role", "dialog")
  card.setAttribute("aria-label", "Tour")
  const words = element("div")
  words.setAttribute("aria-live", "polite")
  const back = button("Back", () => go(at - 1))
  const next = button("Next", () => go(at + 1), "first")
  const skip = button("Skip", () => end())
  const count = element("span", "count")
  const steps = element("div", "buttons")
  steps.append(count, skip, back, next)
  card.append(words, steps)
  box.append(opener, help, ring, card)
  for (const el of [help, ring, card]) { el.hidden = true }

  let at = -1
  const open = () => at >= 0

  const keys = (on) => {
    if (on && open()) { end() }
    help.hidden = !on
    opener.setAttribute("aria-expanded", on)
    if (on) {
      const {bottom} = opener.getBoundingClientRect()
      help.style.top = `${bottom + 6}px`
      help.style.right = "8px"
      help.querySelector(".first").focus()
    }
  }

  const draw = () => {
    const [title, text, target] = model.steps[at]
    const where = place(target)
    ring.hidden = where === null
    const {offsetWidth: width, offsetHeight: height} = card
    let left = (window.innerWidth - width) / 2
    let top = (window.innerHeight - height) / 2
    if (where !== null) {
      for (const side of ["left", "top", "width", "height"]) { ring.style[side] = `${where[side]}px` }
      if (where.left + where.width + width + 24 < window.innerWidth) {
        left = where.left + where.width + 14
        top = where.top
      } else {
        left = where.left + 14
        top = where.top > window.innerHeight / 2 ? where.top - height - 12 : where.top + where.height + 12
      }
    }
    card.style.left = `${Math.min(Math.max(left, 8), window.innerWidth - width - 8)}px`
    card.style.top = `${Math.min(Math.max(top, 50), window.innerHeight - height - 8)}px`
    return [title, text]
  }

  const go = (to) => {
    if (to >= model.steps.length) {
      end()
      return
    }
    at = Math.max(to, 0)
    const [title, text] = model.steps[at]
    words.replaceChildren(element("h2", "", title), element("p", "", text))
    count.textContent = `${at + 1} of ${model.steps.length}`
    back.disabled = at === 0
    next.textContent = at === model.steps.length - 1 ? "Done" : "Next"
    card.hidden = false
    draw()
    next.focus({preventScroll: true})
  }

  const start = () => {
    // What the steps point at is on the first page.
    const first = everything(document).find((el) => el.matches("nav[aria-label=Pages] button"))
    if (first && !first.hasAttribute("aria-current")) { first.click() }
    go(0)
  }

  const end = () => {
    at = -1
    card.hidden = ring.hidden = true
    try { localStorage.setItem(SEEN, "seen") } catch { /* It will be shown again. */ }
    opener.focus({preventScroll: true})
  }

  const pressed = (event) => {
    if (event.key === "Escape" && (open() || !help.hidden)) {
      if (open()) { end() } else { keys(false); opener.focus() }
      return
    }
    if (open() && event.composedPath().includes(card)) {
      if (event.key === "ArrowRight") { go(at + 1) } else if (event.key === "ArrowLeft") { go(at - 1) }
      return
    }
    const typing = event.composedPath().some((el) => /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName ?? "") && el.type !== "range")
    // The Lines page has keys of its own, and shows them by the same key.
    const lines = everything(document).some((el) => el.matches("nav[aria-label=Pages] [aria-current]") && el.textContent === "Lines")
    if (event.key === "?" && !typing && !lines && !event.ctrlKey && !event.metaKey) { keys(help.hidden) }
  }
  const resized = () => { if (open()) { draw() } }
  const outside = (event) => {
    if (!help.hidden && !event.composedPath().includes(box)) { keys(false) }
  }
  document.addEventListener("keydown", pressed)
  document.addEventListener("pointerdown", outside, true)
  window.addEventListener("resize", resized)

  // When the first spectra are there, and only for who has not seen it.
  let waited = 0
  const look = () => {
    if (place("flux") !== null) {
      start()
    } else if ((waited += 1) < 60) {
      timer = setTimeout(look, 500)
    }
  }
  let timer = null
  let known = true
  try { known = localStorage.getItem(SEEN) !== null } catch { /* Then nothing can be remembered. */ }
  if (!known && model.offered) { timer = setTimeout(look, 1500) }

  model.on("remove", () => {
    clearTimeout(timer)
    document.removeEventListener("keydown", pressed)
    document.removeEventListener("pointerdown", outside, true)
    window.removeEventListener("resize", resized)
  })
  return box
}
