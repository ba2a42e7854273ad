// Draw what is in the window: the pixels of the spectra, the derivatives of the chosen
// elements, and the names of known lines, none of which covers another.
//
// `chosen` holds one row: id of the candidate, its ends, the window to go to, elements.
// Nothing that is set here is sent to the server.

const CURVES = ["emulated", "adapted", "truth", "observed"]
const GAP = 5 // between names of one row, and between a name and another one's leader
const STRONGER = 3 // dex: fainter lines beside much stronger ones have a tick, no name
const quietly = {sync: false}
const anew = {check_eq: false, sync: false}

let queued = false
let shown = null // the row of `chosen` that was drawn last
let stack = [] // windows before this one
let settled = null // the window that was left alone for a while
let timer = 0
let listening = false
let canvas = null

function first(x, value) {
  let low = 0, high = x.length
  while (low < high) {
    const between = (low + high) >> 1
    if (x[between] < value) { low = between + 1 } else { high = between }
  }
  return low
}

function text_width(text) {
  canvas ??= document.createElement("canvas").getContext("2d")
  canvas.font = "11px Roboto, sans-serif"
  return canvas.measureText(text).width
}

// Rows for names, the strongest first. A name stands over its line, in the lowest row where
// it covers no other name and no line that leads to a name above, and its own leader
// crosses no name below.
export function place(items, width, rows) {
  const placed = []
  const clear = (left, right, at, row) => placed.every((other) => {
    if (other.row === row) {
      return right + GAP <= other.left || other.right + GAP <= left
    }
    if (other.row > row) { // its leader passes this row
      return other.at < left - GAP / 2 || other.at > right + GAP / 2
    }
    return at < other.left - GAP / 2 || at > other.right + GAP / 2
  })
  for (const item of items) {
    const half = item.width / 2
    if (item.width > width) {
      continue
    }
    const centre = Math.min(Math.max(item.at, half), width - half)
    const [left, right] = [centre - half, centre + half]
    for (let row = 0; row < rows; row++) {
      if (clear(left, right, item.at, row)) {
        placed.push({...item, centre, left, right, row})
        break
      }
    }
  }
  return placed
}

function spectra({full, drawn, flux_range}, from, to, start, end) {
  const data = {x: full.data.x.slice(from, to)}
  let low = Infinity, high = -Infinity
  for (const name of CURVES) {
    data[name] = full.data[name].slice(from, to)
    for (let i = 0; i < data[name].length; i++) {
      const v = data[name][i]
      if (v === v && data.x[i] >= start && data.x[i] <= end) {
        low = Math.min(low, v)
        high = Math.max(high, v)
      }
    }
  }
  drawn.setv({data}, anew)
  if (low < high) {
    const top = Math.max(high, 1.002)
    const room = Math.max(top - low, 0.02)
    flux_range.setv({start: low - 0.08 * room, end: top + 0.08 * room}, quietly)
  }
}

function derivatives(args, from, to, scale) {
  const {slopes, chosen, drawn_slopes, curve_names, lower_range, colours, range, full, format} = args
  const x = full.data.x.slice(from, to)
  const wanted = (chosen.data.elements[0] || "").split(",")
  const elements = wanted.filter((e) => slopes.data[e]?.length === full.data.x.length)
  const ys = elements.map((e) => slopes.data[e].slice(from, to))
  let low = 0, high = 0
  for (const y of ys) {
    for (const v of y) {
      if (v < low) { low = v }
      if (v > high) { high = v }
    }
  }
  const room = Math.max(high - low, 1e-4)
  const [bottom, top] = [low - 0.08 * room, high + 0.24 * room]
  lower_range.setv({start: bottom, end: top}, quietly)
  const colour = elements.map((e) => shade(colours[e], format.tags[3]))
  drawn_slopes.setv({data: {xs: ys.map(() => x), ys, colour}}, anew)
  let at = 10
  const names = {x: [], y: [], text: elements, colour}
  for (const e of elements) {
    names.x.push(range.start + at / scale)
    names.y.push(top - 0.035 * (top - bottom))
    at += text_width(e) * 1.2 + 12
  }
  curve_names.setv({data: names}, anew)
}

// Colours are lighter on dark, as everywhere.
function shade(colour, dark) {
  if (!dark) {
    return colour
  }
  const mixed = [1, 3, 5].map((i) => Math.round(0.7 * parseInt(colour.slice(i, i + 2), 16) + 76.5))
  return `rgb(${mixed.join(",")})`
}

function known(args, width, scale) {
  const {lines, names, leaders, ticks, range, species, species_colours, rows, row_height} = args
  const [, , plain, dark] = args.format.tags
  const {x, strength, species: which} = lines.data
  const from = first(x, range.start), to = first(x, range.end)
  const seen = []
  for (let i = from; i < to; i++) {
    seen.push(i)
  }
  seen.sort((a, b) => strength[b] - strength[a])
  const colour = (i) => {
    const own = species_colours[which[i]]
    return own ? shade(own, dark) : plain
  }
  const faintest = seen.length ? strength[seen[0]] - STRONGER : 0
  const items = seen.filter((i) => strength[i] >= faintest).map((i) => {
    const text = species[which[i]]
    return {i, at: (x[i] - range.start) * scale, width: text_width(text), text}
  })
  const placed = place(items, width, rows)
  names.setv({data: {
    x: placed.map((p) => range.start + p.centre / scale),
    y: placed.map((p) => (p.row + 0.5) * row_height + 4),
    text: placed.map((p) => p.text),
    colour: placed.map((p) => colour(p.i)),
  }}, anew)
  leaders.setv({data: {
    x: placed.map((p) => x[p.i]),
    top: placed.map((p) => p.row * row_height + 4),
    colour: placed.map((p) => colour(p.i)),
  }}, anew)
  const named = new Set(placed.map((p) => p.i))
  const rest = seen.filter((i) => !named.has(i)).slice(0, 500)
  ticks.setv({data: {
    x: rest.map((i) => x[i]),
    top: rest.map(() => 3),
    colour: rest.map(colour),
  }}, anew)
  // For tests and for whoever looks at the page with other tools.
  names.tags = placed.map((p) => [p.left, p.right, p.row, p.at])
}

function shades({chosen, shades}) {
  const {low: [left], high: [right]} = chosen.data
  const visible = Number.isFinite(left)
  for (const shade of shades) {
    shade.setv(visible ? {left, right, visible} : {visible}, quietly)
  }
}

// Width of the frame in pixels; what comes before the figure is laid out counts on a usual one.
function frame_width(plot) {
  return plot.properties.inner_width.is_unset ? 900 : plot.inner_width || 900
}

function draw(args) {
  const {full, range, plot} = args
  const width = frame_width(plot)
  const scale = width / (range.end - range.start)
  const x = full.data.x
  const from = Math.max(0, first(x, range.start) - 1)
  const to = Math.min(x.length, first(x, range.end) + 1)
  spectra(args, from, to, range.start, range.end)
  derivatives(args, from, to, scale)
  known(args, width, scale)
}

const ends = (range) => [range.start, range.end]
const same = (a, b) => a && b && a[0] === b[0] && a[1] === b[1]

function go(range, window) {
  clearTimeout(timer)
  timer = 0
  settled = window
  range.setv({start: window[0], end: window[1]}, quietly)
}

// A zoom counts once it has been left alone for a moment.
function remember(range) {
  clearTimeout(timer)
  timer = setTimeout(() => {
    timer = 0
    const now = ends(range)
    if (!same(now, settled)) {
      stack.push(settled)
      settled = now
    }
  }, 200)
}

function previous({range, chosen}) {
  const home = [chosen.data.start[0], chosen.data.end[0]]
  // What is still moving goes back to where it began.
  const moving = timer !== 0 && !same(ends(range), settled)
  go(range, moving ? settled : stack.pop() ?? home)
}

function choose(args) {
  const {chosen, range, channel, plot} = args
  const {id: [id], start: [start], end: [end], elements: [elements]} = chosen.data
  const another = shown === null || shown.id !== id || shown.start !== start || shown.end !== end
  shown = {id, start, end, elements}
  shades(args)
  if (another) {
    stack = []
    range.setv({reset_start: start, reset_end: end}, quietly)
    go(range, [start, end])
  }
  draw(args)
  requestAnimationFrame(() => setTimeout(() => {
    window.spectrabridge_drawn = {...window.spectrabridge_drawn, [channel]: id}
    document.dispatchEvent(new CustomEvent("spectrabridge-drawn"))
    const moved = window.spectrabridge_moved
    window.spectrabridge_moved = undefined
    if (moved !== undefined && !plot.properties.inner_width.is_unset) {
      const detail = Math.round(performance.now() - moved)
      document.dispatchEvent(new CustomEvent(`${channel}-painted`, {detail}))
    }
  }))
}

export default function(args, model) {
  if (!listening) {
    listening = true
    const back = () => {
      if (args.plot.document === null) {
        document.removeEventListener(`${args.channel}-previous`, back)
      } else {
        previous(args)
      }
    }
    document.addEventListener(`${args.channel}-previous`, back)
    document.fonts?.ready.then(() => draw(args))
  }
  if (model === args.chosen || shown === null) {
    choose(args)
    return
  }
  if (model === args.range && !same(ends(args.range), settled)) {
    remember(args.range)
  }
  if (!queued) {
    // Both ends of a range change one after the other: draw once.
    queued = true
    queueMicrotask(() => {
      queued = false
      draw(args)
    })
  }
}
