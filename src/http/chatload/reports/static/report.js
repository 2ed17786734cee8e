"use strict";
// Without this script the browser shows the same texts by itself, after a while: they are the bands' titles.
const hover = document.body.appendChild(document.createElement("div"));
hover.className = "hover";
hover.hidden = true;
for (const title of document.querySelectorAll(".chart > title")) title.remove();
for (const band of document.querySelectorAll(".chart .band")) {
  const text = band.textContent;
  band.replaceChildren();
  band.addEventListener("pointermove", (event) => {
    hover.textContent = text;
    hover.hidden = false;
    const { width, height } = hover.getBoundingClientRect();
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
    hover.style.left = `${Math.max(4, left)}px`;
    hover.style.top = `${Math.max(4, event.clientY - height - 10)}px`;
  });
  band.addEventListener("pointerleave", () => { hover.hidden = true; });
}
