// One candidate: what it may be, what the vetter says, and the keys of the page.

const KEYS = [
  ["j", "\u2193", "next candidate"],
  ["k", "\u2191", "previous candidate"],
  ["a", "", "accept, and go to the next open one"],
  ["r", "", "reject, and go on"],
  ["u", "", "unsure, and go on"],
  ["1", "5", "choose among the ranked answers"],
  ["e", "", "type an element"],
  ["c", "", "write a comment"],
  ["Enter", "", "leave a field, keep what was typed"],
  ["Esc", "", "leave a field as it was"],
  ["z", "", "undo your last change"],
  ["p", "", "previous zoom"],
  ["?", "", "these keys"],
]

const VERDICTS = [
  ["accepted", "Accept", "A"],
  ["rejected", "Reject", "R"],
  ["unsure", "Unsure", "U"],
]

const SLOW = 4000 // ms without an answer

const make = (tag, name, ...children) => {
  const el = document.createElement(tag)
  if (name) { el.className = name }
  el.append(...children)
  return el
}
const cap = (key) => {
  const el = make("kbd", "", key)
  el.setAttribute("aria-hidden", "true")
  return el
}

const after_paint = (action) => requestAnimationFrame(() => setTimeout(action))

export function render({model}) {
  let shown = "" // id of the candidate that keys are about
  let number = 0
  const waiting = new Map() // numbers of messages without an answer, and their timers
  let moves = 0 // steps asked for while one is under way
  const drafts = new Map() // what was typed and is not kept yet, by candidate

  const box = make("div", "panel")

  // ------------------------------------------------------------------ messages

  const send = (message) => {
    number += 1
    const timer = setTimeout(() => {
      trouble.textContent = "The server does not answer. What you did last may not be kept; " +
        "reload the page and look."
      trouble.hidden = false
      free()
    }, SLOW)
    waiting.set(number, timer)
    model.send_msg({...message, n: number})
    return number
  }
  const about = (message) => {
    if (shown) { send({...message, id: shown}) }
  }
  let moving = 0
  const move = (by, repeated) => {
    if (moving) {
      // A key that is held down goes on from where it is.
      moves += repeated ? 0 : by
      return
    }
    window.spectrabridge_moved = performance.now()
    moving = send({do: "move", by, id: shown})
  }
  const answered = () => {
    for (const [n, timer] of waiting) {
      if (n <= model.answered) {
        clearTimeout(timer)
        waiting.delete(n)
      }
    }
    after_paint(settle)
    if (moving && model.answered >= moving) {
      moving = 0
      if (moves) {
        const by = moves
        moves = 0
        move(by)
      }
    }
  }
  // A verdict given while another is on its way would be about what is still on the screen,
  // but meant for what comes next.
  let deciding = 0
  // A candidate is on the screen when both the figure and this panel have painted it.
  const settle = () => {
    const id = model.candidate.id ?? ""
    if (id !== (window.spectrabridge_drawn?.[model.channel] ?? "")) { return }
    shown = id
    box.dataset.painted = id
    if (deciding && model.answered >= deciding) { free() }
  }
  const free = () => {
    deciding = 0
    box.removeAttribute("aria-busy")
  }
  const decide = (status) => {
    if (!shown || deciding) { return }
    window.spectrabridge_moved = performance.now()
    deciding = send({do: "decide", status, ...drafts.get(shown), id: shown})
    box.setAttribute("aria-busy", "true")
  }
  const choose = (k) => {
    if (shown && k < (model.candidate.answers ?? []).length) { about({do: "choose", answer: k}) }
  }
  const undo = () => send({do: "undo"})
  const previous = () => document.dispatchEvent(new CustomEvent(`${model.channel}-previous`))

  // ---------------------------------------------------------------------- parts

  const title = make("h3", "title")
  const badge = make("span", "badge")
  const facts = make("div", "facts")
  const answers = make("div", "answers")
  answers.setAttribute("role", "group")
  answers.setAttribute("aria-label", "Ranked answers")
  const fields = {}
  const field = (name, label, key, hint) => {
    const input = make("input")
    input.type = "text"
    input.placeholder = hint
    input.autocomplete = "off"
    input.spellcheck = name === "comment"
    input.setAttribute("aria-label", label)
    let owner = "" // candidate to which the text belongs
    input.addEventListener("focus", () => { owner = model.candidate.id ?? "" })
    input.addEventListener("input", () => {
      drafts.set(owner, {...drafts.get(owner), [name]: input.value})
      mark()
    })
    const keep = () => {
      const text = drafts.get(owner)?.[name]
      if (text !== undefined && owner) { send({do: "keep", id: owner, [name]: text}) }
    }
    input.addEventListener("blur", keep)
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault()
        input.blur()
      } else if (event.key === "Escape") {
        event.preventDefault()
        event.stopPropagation()
        forget(owner, name)
        fill()
        input.blur()
      }
    })
    fields[name] = input
    return make("label", "field", make("span", "", label), cap(key), input)
  }
  const forget = (id, name) => {
    const draft = {...drafts.get(id)}
    delete draft[name]
    if (Object.keys(draft).length) { drafts.set(id, draft) } else { drafts.delete(id) }
  }
  const words = make("div", "fields",
    field("element", "Element", "E", "as chosen above"),
    field("comment", "Comment", "C", ""))

  const button = (text, key, action, hint) => {
    const el = make("button", "", text, cap(key))
    el.type = "button"
    el.title = hint ?? `${text}: key ${key.toLowerCase()}`
    el.setAttribute("aria-keyshortcuts", key)
    el.addEventListener("click", action)
    return el
  }
  const verdicts = VERDICTS.map(([status, text, key]) => {
    const el = button(text, key, () => decide(status))
    el.dataset.status = status
    return el
  })
  const take_back = button("Undo", "Z", undo, "Take back your last change: key z")
  const trouble = make("div", "trouble")
  trouble.setAttribute("role", "alert")
  const done = make("div", "note")
  done.setAttribute("role", "status")
  const note = make("div", "note")
  const help = button("Keys", "?", () => open_help(), "Show the keys: ?")
  help.classList.add("plain")

  const dialog = make("dialog", "")
  dialog.setAttribute("aria-label", "Keys")
  const close = make("button", "", "Close")
  close.type = "button"
  close.addEventListener("click", () => dialog.close())
  dialog.append(
    make("h3", "", "Keys"),
    make("table", "", ...KEYS.map(([key, other, what]) => {
      const join = other && (key === "1" ? " to " : " or ")
      const keys = make("td", "", make("kbd", "", key), ...(other ? [join, make("kbd", "", other)] : []))
      return make("tr", "", keys, make("td", "", what))
    })),
    make("p", "", "They work anywhere on the page but not in fields. A decision is in the file before " +
      "the page goes on."),
    close)
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) { dialog.close() }
  })
  const open_help = () => { if (!dialog.open) { dialog.showModal() } }

  box.append(
    make("div", "head", title, badge), facts, answers, words,
    make("div", "verdicts", ...verdicts, take_back), trouble, done,
    make("div", "foot", note, help), dialog)

  // ---------------------------------------------------------------------- filling

  const mark = () => {
    const id = model.candidate.id ?? ""
    for (const [name, input] of Object.entries(fields)) {
      const draft = drafts.get(id)?.[name]
      input.classList.toggle("unsaved", draft !== undefined)
      input.title = draft !== undefined ? "not kept yet" : ""
    }
  }
  const fill = () => {
    const {id = "", element = "", comment = ""} = model.candidate
    const kept = {element, comment}
    for (const [name, input] of Object.entries(fields)) {
      input.value = drafts.get(id)?.[name] ?? kept[name]
      input.disabled = !id
    }
    mark()
  }
  const draw = () => {
    const {id = "", title: text = "", status = "", facts: lines = [], answers: ranked = [],
      element = ""} = model.candidate
    const active = box.getRootNode().activeElement
    for (const input of Object.values(fields)) {
      // Words about one candidate never become words about another.
      if (input === active && box.dataset.id !== id) { input.blur() }
    }
    box.dataset.id = id
    title.textContent = text
    badge.textContent = status
    badge.dataset.status = status
    facts.replaceChildren(...lines.map((line) => make("div", "", line)))
    answers.replaceChildren(...ranked.map(([name, probability, colours], k) => {
      const swatch = make("span", "swatch")
      const [one, two = one] = colours
      swatch.style.background = `linear-gradient(${one} 50%, ${two} 50%)`
      const bar = make("span", "bar")
      bar.style.setProperty("--part", `${Math.round(100 * probability)}%`)
      const el = make("button", "", cap(String(k + 1)), swatch, make("span", "name", name), bar,
        make("span", "number", probability.toFixed(2)))
      el.type = "button"
      el.setAttribute("aria-pressed", name === element)
      el.setAttribute("aria-keyshortcuts", String(k + 1))
      el.title = `Choose ${name}: key ${k + 1}`
      el.addEventListener("click", () => choose(k))
      return el
    }))
    for (const el of verdicts) {
      el.setAttribute("aria-pressed", el.dataset.status === status)
      el.disabled = !id
    }
    fill()
    after_paint(settle)
  }
  const tell = () => {
    trouble.textContent = model.problem
    trouble.hidden = !model.problem
  }
  const told = () => {
    const [id] = model.stored
    const active = box.getRootNode().activeElement
    for (const [name, input] of Object.entries(fields)) {
      if (!(input === active && model.candidate.id === id)) { forget(id, name) }
    }
    fill()
  }
  const report = () => {
    done.textContent = model.said
    done.hidden = !model.said
  }
  const remark = () => { note.innerHTML = model.note }

  // ------------------------------------------------------------------------- keys

  const typed = (target) => {
    const tag = target?.tagName
    return tag === "TEXTAREA" || target?.isContentEditable || tag === "INPUT" &&
      !["button", "checkbox", "radio", "range", "submit", "reset", "color"].includes(target.type)
  }
  const ACTIONS = {
    j: (event) => move(1, event.repeat),
    k: (event) => move(-1, event.repeat),
    ArrowDown: (event) => move(1, event.repeat),
    ArrowUp: (event) => move(-1, event.repeat),
    a: () => decide("accepted"),
    r: () => decide("rejected"),
    u: () => decide("unsure"),
    e: () => fields.element.focus(),
    c: () => fields.comment.focus(),
    z: undo,
    p: previous,
    "?": open_help,
  }
  const once = new Set(["a", "r", "u", "z", "p"]) // not again while held down
  const press = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) { return }
    if (box.getClientRects().length === 0) { return } // another page is open
    const target = event.composedPath()[0]
    if (dialog.open) {
      if (event.key === "?") {
        event.preventDefault()
        dialog.close()
      }
      return
    }
    if (typed(target)) { return }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    if (target?.tagName === "SELECT" && key.startsWith("Arrow")) { return }
    const digit = /^[1-5]$/.test(key)
    const action = digit ? () => choose(Number(key) - 1) : ACTIONS[key]
    if (!action) { return }
    event.preventDefault()
    if (!(event.repeat && (digit || once.has(key)))) { action(event) }
    if (key === "e" || key === "c") { fields[key === "e" ? "element" : "comment"].select() }
  }
  document.addEventListener("keydown", press)
  document.addEventListener("spectrabridge-drawn", settle)
  model.on("remove", () => {
    document.removeEventListener("keydown", press)
    document.removeEventListener("spectrabridge-drawn", settle)
  })
  model.on("candidate", draw)
  model.on("problem", tell)
  model.on("stored", told)
  model.on("answered", answered)
  model.on("note", remark)
  model.on("said", report)
  draw()
  tell()
  report()
  remark()
  return box
}
