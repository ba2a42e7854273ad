// Names of lines above a spectrum, with ticks; where they stand is computed in Python.

const ROW = 13
const TICK = 7

export function render({model}) {
  const strip = document.createElement("div")
  strip.className = "strip"
  strip.setAttribute("role", "group")
  strip.setAttribute("aria-label", "Known lines")

  const draw = () => {
    const ticks = model.ticks.map(([x, named, colour]) => {
      const tick = document.createElement("i")
      tick.className = named ? "named" : ""
      tick.style.left = `${x}px`
      tick.style.height = `${named ? TICK : 4}px`
      tick.style.backgroundColor = colour
      return tick
    })
    const names = model.names.map(([x, row, text, colour, line]) => {
      const name = document.createElement("button")
      name.type = "button"
      name.textContent = text
      name.style.left = `${x}px`
      name.style.bottom = `${TICK + row * ROW}px`
      name.style.color = colour
      name.addEventListener("click", () => model.send_msg({line}))
      return name
    })
    strip.replaceChildren(...ticks, ...names)
  }
  // Both change together: draw once.
  let queued = false
  model.on(["names", "ticks"], () => {
    if (!queued) {
      queued = true
      queueMicrotask(() => {
        queued = false
        draw()
      })
    }
  })
  draw()
  return strip
}
