// Cut a table of curves, one column each and all at the same wavelengths, into the lists
// that a multi-line draws.
//
// Python sends two long arrays instead of two for every curve: BokehJS gets every array in
// messages of its own.

export default function({flat, drawn, about}) {
  const {x, y} = flat.data
  const [colour, dash, name] = about.tags
  const k = colour.length
  const ys = colour.map((_, j) => {
    const curve = new Float32Array(x.length)
    for (let i = 0; i < curve.length; i++) {
      curve[i] = y[i * k + j]
    }
    return curve
  })
  const data = {x: colour.map(() => x), y: ys, colour, dash, name}
  drawn.setv({data}, {check_eq: false, sync: false})
}
