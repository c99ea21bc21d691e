// A book opened as files: no page may read another there, so the search shows titles only.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

document.addEventListener("DOMContentLoaded", () => {
  // What scrolls is reached with the keyboard.
  const reach = () => {
    for (const box of document.querySelectorAll(".output.text_html, .pst-scrollable-table-container, mjx-container")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  };
  reach();
  window.addEventListener("resize", reach);
  window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(reach));
  // The role that docutils gives an entry of the bibliography is not one of a list.
  for (const entry of document.querySelectorAll("[role='doc-biblioentry']")) entry.setAttribute("role", "listitem");
});
