// Tell the status line what is under the cursor.

export default function({full, lines, channel, format}, event) {
  const data = full.data
  const xs = data.x
  const x = event.x
  let detail
  if (event.event_name === "mousemove" && x >= xs[0] && x <= xs[xs.length - 1]) {
    let low = 0, high = xs.length - 1
    while (high - low > 1) {
      const between = (low + high) >> 1
      if (xs[between] < x) { low = between } else { high = between }
    }
    const i = x - xs[low] < xs[high] - x ? low : high
    const [unit, digits] = format.tags
    const values = []
    for (const name of ["emulated", "adapted", "truth", "observed"]) {
      if (lines[name].visible && Number.isFinite(data[name][i])) {
        values.push([name, data[name][i].toFixed(3)])
      }
    }
    detail = {at: x.toFixed(digits), unit, values}
  }
  document.dispatchEvent(new CustomEvent(`${channel}-cursor`, {detail}))
}
