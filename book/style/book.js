// A book opened as files: no page may read another there, so the search shows titles only.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// What scrolls sideways is reached with the keyboard, and fades while there is more to see.
const SCROLLING = "article pre, .output.text_html, .pst-scrollable-table-container, .cell figure, mjx-container[display='true']";

document.addEventListener("DOMContentLoaded", () => {
  const fade = (box) => {
    const wide = box.clientWidth > 0 && box.scrollWidth > box.clientWidth + 1;
    if (wide) box.tabIndex = 0;
    box.classList.toggle("more", wide && box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  };
  const fit = () => {
    document.querySelectorAll(SCROLLING).forEach(fade);
    // A formula in a line that is too long for the screen scrolls by itself.
    for (const formula of document.querySelectorAll("mjx-container:not([display])")) {
      formula.classList.remove("wide");
      const column = formula.closest("p, li, td, dd, figcaption, h1, h2, h3");
      if (column && formula.getBoundingClientRect().right > column.getBoundingClientRect().right + 1) {
        formula.classList.add("wide");
      }
    }
  };
  const settle = () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(fit);
  window.addEventListener("load", settle);
  // Not the window: the sidebars still slide when it has its new size.
  const observer = new ResizeObserver(() => requestAnimationFrame(fit));
  document.querySelectorAll("article").forEach((article) => observer.observe(article));
  document.addEventListener("scroll", ({ target }) => target.matches?.(SCROLLING) && fade(target), true);
  document.addEventListener("toggle", ({ target }) => target.querySelectorAll(SCROLLING).forEach(fade), true);
  // The folded cell that a number leads to opens.
  const unfold = () => {
    if (/^#cell-\d+$/.test(location.hash)) document.querySelector(`${location.hash} > details`)?.setAttribute("open", "");
  };
  window.addEventListener("hashchange", unfold);
  unfold();
  // The theme gives the arrow that unfolds a part of the contents no name.
  for (const arrow of document.querySelectorAll("nav li.has-children > details > summary")) {
    const above = arrow.closest("li").querySelector("a").textContent.trim();
    arrow.setAttribute("aria-label", `Pages below ${above}`);
  }
  // The role that docutils gives an entry of the bibliography is not one of a list.
  for (const entry of document.querySelectorAll("[role='doc-biblioentry']")) entry.setAttribute("role", "listitem");
  // A finding of the claims page: its sentence, its number, and the code that measured it.
  document.querySelector("table.findings")?.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const cell = button.parentElement;
    const made = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
    const claim = cell.closest("tbody").querySelector("th").textContent;
    const part = cell.parentElement.querySelector("th").textContent;
    const data = event.currentTarget.tHead.rows[1].cells[cell.cellIndex - 1].textContent;
    // what all sentences of a row begin and end with is kept once
    const { before = "", after = "" } = cell.parentElement.dataset;
    const why = "why" in button.dataset ? before + button.dataset.why + after : button.title;
    const dialog = document.createElement("dialog");
    const close = made("button", "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.className = "finding";
    dialog.append(
      made("h2", `${claim}${part === claim ? "" : `, ${part}`}`),
      made("p", `${data}: ${button.getAttribute("aria-label")}. ${why}`),
      made("pre", document.getElementById(cell.parentElement.dataset.code).textContent),
      close,
    );
    dialog.setAttribute("aria-label", `Finding on ${data}`);
    // Sphinx takes the key away from a dialog.
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    close.autofocus = true;
    dialog.showModal();
  });
});
