// Give the drag of the mouse another meaning: what is asked for stands in the tags.

export default function({tools}, mode) {
  for (const [name, several] of Object.entries(tools)) {
    for (const tool of several) {
      tool.active = name === mode.tags[0]
    }
  }
}
