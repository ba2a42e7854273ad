// Tells Python that the browser has built what it shows, and takes part in it no further.

// What Python has sent need not be sent back, nor what scripts of figures do quietly; Panel
// would, and cannot put all of it into words.
function no_echo(document) {
  for (const model of document.all_models) {
    const told = model._document_listener
    if (told !== undefined && model.client_comm_id !== undefined) {
      document.remove_on_change(told)
      model._document_listener = (event) => {
        if (event.sync !== false) { told(event) }
      }
      document.on_change(model._document_listener)
    }
  }
}

export function render({model, view}) {
  let root = view
  while (root.parent != null) { root = root.parent }
  const look = () => {
    if (root.model.id in Bokeh.index) {
      no_echo(root.model.document)
      model.displays += 1
    } else {
      setTimeout(look, 50)
    }
  }
  setTimeout(look, 0)
  return document.createElement("span")
}
