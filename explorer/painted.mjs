// Tell the status line how long the last move of a slider took to be painted.

export default function({channel}) {
  const moved = window.spectrabridge_moved
  if (moved !== undefined) {
    // After the paint of the next frame.
    requestAnimationFrame(() => setTimeout(() => {
      const detail = Math.round(performance.now() - moved)
      document.dispatchEvent(new CustomEvent(`${channel}-painted`, {detail}))
    }))
  }
}
