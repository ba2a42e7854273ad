// A text in chapters beside the list of their titles.

export function render({model}) {
  const box = document.createElement("div")
  box.className = "chapters"
  const list = document.createElement("nav")
  list.setAttribute("aria-label", "Chapters")
  const text = document.createElement("article")
  text.tabIndex = 0
  box.append(list, text)

  const draw = () => {
    const heading = document.createElement("h1")
    heading.textContent = model.heading
    const sections = model.chapters.map(([title, html]) => {
      const section = document.createElement("section")
      const head = document.createElement("h2")
      head.textContent = title
      const body = document.createElement("div")
      body.innerHTML = html
      section.append(head, body)
      return section
    })
    text.replaceChildren(heading, ...sections)
    list.replaceChildren(...model.chapters.map(([title], i) => {
      const button = document.createElement("button")
      button.type = "button"
      button.textContent = title
      button.addEventListener("click", () => {
        text.scrollTop += sections[i].getBoundingClientRect().top - text.getBoundingClientRect().top - 8
      })
      return button
    }))
    const mark = () => {
      const top = text.getBoundingClientRect().top + 40
      const end = text.scrollTop + text.clientHeight >= text.scrollHeight - 2
      let at = 0
      sections.forEach((section, i) => { if (section.getBoundingClientRect().top <= top) { at = i } })
      if (end && text.scrollTop > 0) { at = sections.length - 1 }
      ;[...list.children].forEach((button, i) => button.classList.toggle("here", i === at))
    }
    text.onscroll = mark
    ;[...list.children].forEach((button, i) => button.classList.toggle("here", i === 0))
  }
  model.on(["chapters", "heading"], draw)
  draw()
  return box
}
