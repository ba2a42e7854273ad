// Tell the server where the pointer is on a map: at most twenty times a second.

const EVERY = 50 // ms

export default function({pointer, panel}, event) {
  const inside = event.event_name === "mousemove"
  const data = {panel: [panel], x: [inside ? event.x : NaN], y: [inside ? event.y : NaN]}
  const state = pointer._spectrabridge ??= {sent: 0, timer: null}
  clearTimeout(state.timer)
  const send = () => {
    state.sent = performance.now()
    pointer.data = data
  }
  const wait = state.sent + EVERY - performance.now()
  if (wait <= 0) {
    send()
  } else {
    state.timer = setTimeout(send, wait)
  }
}
