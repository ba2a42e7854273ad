// Tell the status line what is under the cursor: wavelength, fluxes, the nearest known line.

const REACH = 6 // pixels

function nearest(xs, x) {
  let low = 0, high = xs.length - 1
  while (high - low > 1) {
    const between = (low + high) >> 1
    if (xs[between] < x) { low = between } else { high = between }
  }
  return x - xs[low] < xs[high] - x ? low : high
}

// Width of the frame in pixels; what comes before the figure is laid out counts on a usual one.
function frame_width(plot) {
  return plot.properties.inner_width.is_unset ? 900 : plot.inner_width || 900
}

// The strongest known line within a few pixels of the cursor.
function line_at({lines, species, range, plot, format}, x) {
  const {x: xs, strength, species: which, loggf, ep} = lines.data
  if (!xs.length) {
    return []
  }
  const reach = REACH * (range.end - range.start) / frame_width(plot)
  let best = -1
  for (let i = nearest(xs, x - reach); i < xs.length && xs[i] <= x + reach; i++) {
    if (Math.abs(xs[i] - x) <= reach && (best < 0 || strength[i] > strength[best])) { best = i }
  }
  if (best < 0) {
    return []
  }
  const text = `${species[which[best]]} ${xs[best].toFixed(format.tags[1])}`
  return [["line", text], ["log gf", loggf[best].toFixed(2)], ["EP", `${ep[best].toFixed(2)} eV`]]
}

export default function(args, event) {
  const {full, spectra, format, channel} = args
  const data = full.data
  const xs = data.x
  const x = event.x
  let detail
  if (event.event_name === "mousemove" && x >= xs[0] && x <= xs[xs.length - 1]) {
    const i = nearest(xs, x)
    const [unit, digits] = format.tags
    const values = []
    for (const name of ["emulated", "adapted", "truth", "observed"]) {
      if (spectra[name].visible && Number.isFinite(data[name][i])) {
        values.push([name, data[name][i].toFixed(3)])
      }
    }
    detail = {at: x.toFixed(digits), unit, values: [...values, ...line_at(args, x)]}
  }
  document.dispatchEvent(new CustomEvent(`${channel}-cursor`, {detail}))
}
