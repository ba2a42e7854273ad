// Tell the status line how long the last move of a slider took to be painted.

let told

export default function({channel}) {
  const moved = window.spectrabridge_moved
  // Zooms repaint too, long after the move.
  if (moved !== undefined && moved !== told) {
    told = moved
    // After the paint of the next frame.
    requestAnimationFrame(() => setTimeout(() => {
      const detail = Math.round(performance.now() - moved)
      document.dispatchEvent(new CustomEvent(`${channel}-painted`, {detail}))
    }))
  }
}
