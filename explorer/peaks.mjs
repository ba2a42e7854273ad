// Cut flat columns of features into the lists that a multi-line draws.
//
// Python sends few long arrays instead of many short ones: BokehJS gets every array in a
// message of its own. Places are those of the points of `curve`, which has the wavelengths.

export default function({flat, curve, drawn, elements, colours}) {
  const {at, y, run, element} = flat.data
  const x = curve.data.x
  const data = {x: [], y: [], colour: [], element: []}
  let start = 0
  for (let i = 1; i <= run.length; i++) {
    if (i === run.length || run[i] !== run[start]) {
      data.x.push(Float64Array.from(at.slice(start, i), (k) => x[k]))
      data.y.push(y.slice(start, i))
      data.colour.push(colours[element[start]])
      data.element.push(elements[element[start]])
      start = i
    }
  }
  drawn.setv({data}, {check_eq: false, sync: false})
}
