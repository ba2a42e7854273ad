// Tell the status line what is under the cursor: wavelength, element and derivative.

export default function({image, map, lines, elements, channel, format}, event) {
  let detail
  if (event.event_name === "mousemove") {
    const [unit, digits, per, power, tops] = format.tags
    const {x: [start], dw: [width]} = image.data
    const x = event.x
    const values = []
    const picture = image.data.image[0]
    const [rows, columns] = picture.shape
    const column = Math.floor((x - start) / width * columns)
    const row = Math.floor(event.y)
    if (event.origin === map && row >= 0 && row < rows && column >= 0 && column < columns) {
      // Colours are scaled: back to what they stand for.
      const scaled = picture[row * columns + column]
      const top = tops[rows - 1 - row] ?? tops[0]
      const value = Math.sign(scaled) * Math.abs(scaled) ** (1 / power) * top
      const text = Number.isFinite(value) ? `${value.toPrecision(2).replace("-", "\u2212")} ${per}` : "no data"
      values.push([elements[rows - 1 - row], text])
    }
    if (x >= start && x <= start + width) {
      detail = {at: x.toFixed(digits), unit, values}
    }
  }
  document.dispatchEvent(new CustomEvent(`${channel}-cursor`, {detail}))
}
