// Spare a figure what BokehJS does for every paint and this figure does not need.
//
// For each paint BokehJS asks the style sheets of the page some 150 times whether they
// restyle axes, grids and curves, and writes the place of every part of the figure into a
// style sheet, which makes the next of these questions dear. For new data of a curve or a
// picture it builds an index to find points by, and makes four more copies, for points
// that are selected, muted or left out. Our pages do not restyle figures by style sheets,
// and nothing in these figures is selected.
//
// Only views of the one figure are changed. What another version of BokehJS does not have
// is left as it is.

const done = new WeakSet()

const once = (view, change) => {
  if (!done.has(view)) {
    done.add(view)
    change()
  }
}

const unstyled = ({visuals}) => {
  for (const visual of visuals ?? []) {
    if (typeof visual._get_css_value === "function") {
      visual._get_css_value = () => ""
    }
  }
}

// Write a style sheet only if it changes.
const rewritten = ({position}) => {
  if (typeof position?._update !== "function") {
    return
  }
  const update = position._update.bind(position)
  let last
  position._update = (css) => {
    if (css !== last) {
      last = css
      update(css)
    }
  }
}

const COPIES = ["selection_glyph", "nonselection_glyph", "muted_glyph", "decimated_glyph"]
const UNSOUGHT = ["Line", "Image"]

const plain = (view) => {
  const {glyph, set_data} = view
  if (glyph == null || typeof set_data !== "function") {
    return
  }
  if (UNSOUGHT.includes(glyph.model.type)) {
    glyph.index_data = () => {}
  }
  for (const copy of COPIES.map((name) => view[name]).filter((g) => g != null)) {
    copy.set_data = async () => {}
    copy.set_visuals = () => {}
    copy.map_data = () => {}
  }
  // What is hidden takes up new data when it is shown.
  let missed = false
  view.set_data = async (...args) => {
    missed = !view.model.visible
    if (!missed) {
      await set_data.apply(view, args)
    }
  }
  view.model.properties.visible.change.connect(() => {
    if (missed && view.model.visible) {
      view.update_data()
    }
  })
}

function descend(view, change) {
  change(view)
  for (const child of view.children?.() ?? []) {
    descend(child, change)
  }
}

export default function({plot}, model, data, {index}) {
  for (const view of index.find_all(plot)) {
    descend(view, (part) => once(part, () => {
      unstyled(part)
      rewritten(part)
      plain(part)
    }))
  }
}
