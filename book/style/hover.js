// What a link within the book leads to, shown on hover and on keyboard focus. The pointer can move onto it, Escape
// takes it away, and a tap only follows the link.
(() => {
  const LINKS = "article a.reference.internal[href*='#']:not(.glued)";
  const script = document.currentScript.src;
  const root = new URL("../", script);
  let loaded, link, box, timer;

  const load = () =>
    (loaded ??= new Promise((done) => {
      const made = document.createElement("script");
      made.src = new URL("previews.js", script);
      made.onload = () => done(previews);
      document.head.append(made);
    }));

  function hide() {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    box?.remove();
    link = box = undefined;
  }

  async function show(wanted) {
    hide();
    link = wanted;
    const to = new URL(link.href);
    const key = decodeURI(to.pathname.slice(root.pathname.length)) + decodeURIComponent(to.hash);
    const html = (await load())[key];
    if (!html || link !== wanted) return;
    const template = document.createElement("template"); // where no picture is loaded yet
    template.innerHTML = html;
    for (const img of template.content.querySelectorAll("img")) img.src = new URL(img.getAttribute("src"), root);
    box = document.createElement("div");
    Object.assign(box, { id: "preview", className: "preview", role: "tooltip" });
    box.append(template.content);
    document.body.append(box);
    link.setAttribute("aria-describedby", "preview");
    const settled = [...box.querySelectorAll("img")].map((img) => img.decode().catch(() => {}));
    if (box.querySelector(".math")) settled.push(window.MathJax?.typesetPromise?.([box]));
    place();
    await Promise.all(settled);
    if (link === wanted) place();
  }

  function place() {
    const at = link.getClientRects()[0];
    const below = at.bottom + box.offsetHeight < innerHeight || at.top < box.offsetHeight;
    box.style.left = `${scrollX + Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${scrollY + (below ? at.bottom : at.top - box.offsetHeight)}px`;
  }

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    clearTimeout(timer);
    const over = event.target.closest(`${LINKS}, .preview`);
    if (over === null) timer = setTimeout(hide, 300);
    else if (over !== link && over !== box) timer = setTimeout(show, 150, over);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(LINKS) && event.target.matches(":focus-visible")) show(event.target);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("click", hide);
  // before Sphinx, which takes the key for itself
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide(), true);
})();
