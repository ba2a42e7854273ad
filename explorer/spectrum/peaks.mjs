// Cut flat columns of features into the lists that a multi-line draws.
//
// Python sends few long arrays instead of many short ones: BokehJS gets every array in a
// message of its own. Places are those of the points of `curve`, which has the wavelengths;
// a line goes on to the next point if that is in the next place and of the same element.
// Heights are counted in steps.

export default function({flat, curve, drawn, elements, colours}) {
  const {at, y, element} = flat.data
  const [step] = flat.tags
  const x = curve.data.x
  const data = {x: [], y: [], colour: [], element: []}
  let start = 0
  for (let i = 1; i <= at.length; i++) {
    if (i === at.length || at[i] !== at[i - 1] + 1 || element[i] !== element[start]) {
      data.x.push(Float64Array.from(at.slice(start, i), (k) => x[k]))
      data.y.push(Float32Array.from(y.slice(start, i), (k) => k * step))
      data.colour.push(colours[element[start]])
      data.element.push(elements[element[start]])
      start = i
    }
  }
  drawn.setv({data}, {check_eq: false, sync: false})
}
