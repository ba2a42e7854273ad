// Name of the vetter, progress, and filters.

export function render({model}) {
  const make = (tag, name, ...children) => {
    const el = document.createElement(tag)
    if (name) { el.className = name }
    el.append(...children)
    return el
  }
  const box = make("div", "bar")

  const vetter = make("input")
  vetter.type = "text"
  vetter.spellcheck = false
  vetter.autocomplete = "off"
  vetter.setAttribute("aria-label", "Vetter")
  vetter.title = "Who decides; each vetter has decisions of their own"
  const names = make("datalist")
  names.id = "vetters"
  vetter.setAttribute("list", names.id)
  const show_vetter = () => { vetter.value = model.vetter }
  const keep = () => {
    if (vetter.value.trim() && vetter.value !== model.vetter) {
      model.vetter = vetter.value.trim()
    }
    show_vetter()
  }
  // A list of names offers all of them only while the field is empty.
  vetter.addEventListener("change", keep)
  vetter.addEventListener("blur", keep)
  vetter.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault()
      event.stopPropagation()
      if (event.key === "Escape") { show_vetter() }
      vetter.blur()
    }
  })

  const track = make("div", "track")
  const part = make("div", "part")
  track.append(part)
  track.setAttribute("role", "progressbar")
  track.setAttribute("aria-label", "Candidates decided")
  track.setAttribute("aria-valuemin", "0")
  const count = make("div", "count")
  count.setAttribute("role", "status")

  const lists = {}
  for (const name of ["element", "kind", "status"]) {
    const list = make("select")
    list.setAttribute("aria-label", `Filter by ${name}`)
    list.addEventListener("change", () => {
      model[name] = list.value
      list.blur() // so that keys go to the page again
    })
    lists[name] = list
  }
  const least = make("input")
  least.type = "number"
  least.min = 0
  least.step = 1
  least.setAttribute("aria-label", "Least significance")
  least.title = "Least significance"
  const keep_least = () => {
    const value = Number(least.value)
    if (Number.isFinite(value) && value >= 0) { model.least = value }
    show_least()
  }
  const show_least = () => { least.value = model.least }
  least.addEventListener("change", keep_least)
  least.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault()
      event.stopPropagation()
      if (event.key === "Escape") { show_least() }
      least.blur()
    }
  })

  const fill = () => {
    for (const [name, list] of Object.entries(lists)) {
      const options = model.options[name] ?? []
      const known = options.some(([key]) => key === model[name])
      const all = known ? options : [...options, [model[name], model[name]]]
      list.replaceChildren(...all.map(([key, title]) => new Option(title, key)))
      list.value = model[name]
      list.classList.toggle("set", model[name] !== "")
    }
    least.classList.toggle("set", model.least > 0)
  }
  const progress = () => {
    const [decided, total] = model.done
    part.style.width = `${100 * decided / Math.max(1, total)}%`
    track.setAttribute("aria-valuenow", decided)
    track.setAttribute("aria-valuemax", total)
    count.textContent = `${decided} of ${total} decided${model.words}`
    count.title = count.textContent
  }
  const known = () => names.replaceChildren(...model.vetters.map((name) => new Option(name)))

  box.append(
    make("label", "who", make("span", "", "Vetter"), vetter, names),
    make("div", "", track, count),
    make("div", "filters", lists.element, lists.kind, lists.status,
      make("label", "least", make("span", "", "signif. \u2265"), least)))

  model.on("vetter", show_vetter)
  model.on("vetters", known)
  model.on(["done", "words"], progress)
  model.on(["options", "element", "kind", "status"], fill)
  model.on("least", () => { show_least(); fill() })
  show_vetter()
  show_least()
  known()
  progress()
  fill()
  return box
}
