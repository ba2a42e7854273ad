// A button that opens files, and a page onto which files can be dropped anywhere.
//
// Each file is sent in pieces. Python answers nothing: what became of a file is shown
// by the page. Without a handler the browser would leave the page to show the file.

const PIECE = 4 * 1024 * 1024

export function render({model}) {
  const zone = document.createElement("label")
  zone.className = "zone"
  zone.tabIndex = 0
  zone.setAttribute("role", "button")
  const input = document.createElement("input")
  input.type = "file"
  input.multiple = true
  input.hidden = true
  const text = document.createElement("span")
  text.textContent = model.label
  zone.append(text, input)

  let batches = 0
  const send = async (files) => {
    const batch = ++batches
    for (const file of files) {
      const pieces = Math.max(1, Math.ceil(file.size / PIECE))
      if (file.size > model.largest) {
        model.send_msg({name: file.name, size: file.size, problem: "large"})
        continue
      }
      try {
        for (let i = 0; i < pieces; i++) {
          const data = await file.slice(i * PIECE, (i + 1) * PIECE).arrayBuffer()
          model.send_msg({name: file.name, size: file.size, piece: i, pieces, data, batch})
        }
      } catch (problem) {
        // A folder, or a file that vanished.
        model.send_msg({name: file.name, size: file.size, problem: "unreadable"})
      }
    }
  }

  input.addEventListener("change", async () => {
    await send([...input.files])
    input.value = ""
  })
  zone.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault()
      input.click()
    }
  })

  // A zone on a page that is not open takes no files, but the browser must not open them.
  const shown = () => zone.getClientRects().length > 0
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files")
  const over = (event) => {
    if (carries(event)) {
      event.preventDefault()
      event.dataTransfer.dropEffect = "copy"
      zone.classList.add("over")
    }
  }
  const leave = (event) => {
    if (event.relatedTarget === null) {
      zone.classList.remove("over")
    }
  }
  const drop = (event) => {
    zone.classList.remove("over")
    if (carries(event)) {
      event.preventDefault()
      if (shown()) {
        send([...event.dataTransfer.files])
      }
    }
  }
  document.addEventListener("dragover", over)
  document.addEventListener("dragleave", leave)
  document.addEventListener("drop", drop)
  model.on("remove", () => {
    document.removeEventListener("dragover", over)
    document.removeEventListener("dragleave", leave)
    document.removeEventListener("drop", drop)
  })
  return zone
}
