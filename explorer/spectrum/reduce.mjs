// Reduce spectra to what the screen can show.
//
// `full` holds every pixel and is drawn by nobody. `flux` and `middle` hold what is
// drawn: the pixels in view, or, where several fall on one column of the screen, the
// lowest and the highest of them in their order, so that narrow lines keep their depth.
// Curves break at `breaks` (between chips) and where no value is finite.

const ABOVE = ["emulated", "adapted", "truth", "observed", "pinned_adapted", "pinned_emulated"]
const SELDOM = ["observed", "pinned_adapted", "pinned_emulated"]
const BELOW = ["difference", "residual_emulated", "residual_adapted"]

function middle_columns({emulated, adapted, observed, root_ivar}, seen) {
  const n = emulated.length
  if (!seen) {
    const difference = new Float32Array(n)
    for (let i = 0; i < n; i++) {
      difference[i] = adapted[i] - emulated[i]
    }
    return {difference}
  }
  const residual_emulated = new Float32Array(n)
  const residual_adapted = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    residual_emulated[i] = (observed[i] - emulated[i]) * root_ivar[i]
    residual_adapted[i] = (observed[i] - adapted[i]) * root_ivar[i]
  }
  return {residual_emulated, residual_adapted}
}

// First index whose x is not below `value`.
function first(x, value) {
  let low = 0, high = x.length
  while (low < high) {
    const between = (low + high) >> 1
    if (x[between] < value) { low = between + 1 } else { high = between }
  }
  return low
}

// Runs of pixels to draw: [start, stop, number of bins], a bin being a column of the screen.
function plan(x, range, width, breaks) {
  const start = Math.max(0, first(x, range.start) - 1)
  const stop = Math.min(x.length, first(x, range.end) + 1)
  const scale = width / (range.end - range.start)
  const runs = []
  let from = start
  for (const at of [...breaks, x.length]) {
    const to = Math.min(at, stop)
    if (to > from) {
      const columns = Math.max(1, Math.ceil((x[to - 1] - x[from]) * scale))
      runs.push([from, to, Math.min(columns, to - from)])
    }
    from = Math.max(from, Math.min(at + 1, stop))
  }
  return runs
}

// Whether a run is drawn pixel by pixel.
const fine = ([from, to, bins]) => to - from <= 2 * bins

const length = (runs) => runs.reduce((n, run) => n + 1 + (fine(run) ? run[1] - run[0] : 2 * run[2]), 0)

function positions(x, runs) {
  const out = new Float64Array(length(runs))
  let k = 0
  for (const run of runs) {
    const [from, to, bins] = run
    if (fine(run)) {
      for (let i = from; i < to; i++) { out[k++] = x[i] }
    } else {
      const step = (to - from) / bins
      for (let b = 0; b < bins; b++) {
        out[k++] = x[Math.floor(from + (b + 0.25) * step)]
        out[k++] = x[Math.floor(from + (b + 0.75) * step)]
      }
    }
    out[k] = out[k - 1]
    k++
  }
  return out
}

function values(y, runs) {
  const out = new Float32Array(length(runs))
  let k = 0
  for (const run of runs) {
    const [from, to, bins] = run
    if (fine(run)) {
      for (let i = from; i < to; i++) { out[k++] = y[i] }
    } else {
      const step = (to - from) / bins
      for (let b = 0; b < bins; b++) {
        const end = Math.floor(from + (b + 1) * step)
        let low = -1, high = -1
        for (let i = Math.floor(from + b * step); i < end; i++) {
          const v = y[i]
          if (v === v) {
            if (low < 0 || v < y[low]) { low = i }
            if (high < 0 || v > y[high]) { high = i }
          }
        }
        out[k++] = low < 0 ? NaN : y[Math.min(low, high)]
        out[k++] = low < 0 ? NaN : y[Math.max(low, high)]
      }
    }
    out[k++] = NaN
  }
  return out
}

// Width of the frame in pixels; what comes before the figure is laid out counts on a usual one.
function frame_width(plot) {
  return plot.properties.inner_width.is_unset ? 900 : plot.inner_width || 900
}

function reduce({full, flux, middle, range, plot, breaks, lines}) {
  const data = full.data
  const width = frame_width(plot)
  const runs = plan(data.x, range, width, breaks)
  const x = positions(data.x, runs)
  const empty = new Float32Array(x.length).fill(NaN)
  const above = {x}
  for (const name of ABOVE) {
    const drawn = !SELDOM.includes(name) || lines[name].visible
    above[name] = drawn && !(name === "truth" && data.truth.length === 0) ? values(data[name], runs) : empty
  }
  const columns = middle_columns(data, lines.observed.visible)
  const below = {x}
  for (const name of BELOW) {
    below[name] = name in columns ? values(columns[name], runs) : empty
  }
  flux.setv({data: above}, {check_eq: false, sync: false})
  middle.setv({data: below}, {check_eq: false, sync: false})
}

let queued = false

export default function(args, model) {
  if (model === args.full) {
    reduce(args)
  } else if (!queued) {
    // Both ends of a range change one after the other: reduce once.
    queued = true
    queueMicrotask(() => {
      queued = false
      reduce(args)
    })
  }
}
