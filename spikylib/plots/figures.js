// Bring the interactive figures of a page to life: draw each with Plotly, and add the controls that
// its layout.meta describes. Without Plotly or WebGL its still picture stays.
(() => {
  const add = (parent, tag, properties = {}) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));

  const choose = (controls, name, spoken, options, changed) => {
    const label = add(controls, "label", { textContent: name });
    const select = add(label, "select", { ariaLabel: spoken });
    for (const [group, entries] of Object.entries(options)) {
      const parent = group ? add(select, "optgroup", { label: group }) : select;
      for (const [value, text] of entries) add(parent, "option", { value, textContent: text });
    }
    select.addEventListener("change", changed);
    return select;
  };

  const slide = (controls, name, values, start, say, changed) => {
    const label = add(controls, "label", { textContent: name });
    const range = add(label, "input", { type: "range", min: 0, max: values.length - 1, step: 1, value: start });
    const shown = add(label, "span");
    const write = () => {
      shown.textContent = say(values[range.value]);
      range.setAttribute("aria-valuetext", shown.textContent);
    };
    range.addEventListener("input", () => { write(); changed(); });
    write();
    return range;
  };

  // Three dimensions of an embedding, turning; choices of the dimensions and of spikes.
  const scatter3d = (plot, controls, summary, meta) => {
    const axes = ["x", "y", "z"];
    const dimensions = { "": meta.dimensions.map((d, i) => [i, `dim ${d}`]) };
    const show = async (spikesFollow) => {
      const chosen = axes.map((a, i) => Number(pick[i].value));
      if (spikesFollow) spike.value = `${meta.covers.findIndex((c) => c.dimensions.includes(meta.dimensions[chosen[0]]))} all`;
      const [cover, only] = spike.value.split(" ");
      const { spike: of, peaks } = meta.covers[cover];
      const inside = (k) => k >= 0 && (only === "all" || k === Number(only));
      const titles = axes.map((a, i) => [`scene.${a}axis.title.text`, `dim ${meta.dimensions[chosen[i]]}`]);
      await window.Plotly.update(
        plot,
        {
          ...Object.fromEntries(axes.map((a, i) => [a, [meta.columns[chosen[i]]]])),
          "marker.color": [of.map((k) => (inside(k) ? k : -1))],
          "marker.size": [of.map((k) => (only !== "all" && inside(k) ? 5 : 3))],
        },
        Object.fromEntries(titles),
      );
      const count = of.filter(inside).length;
      summary.textContent = only === "all"
        ? `Coloured: ${count} of the ${of.length} items drawn are on the ten largest spikes.`
        : `Coloured: spike ${Number(only) + 1}, ${count} of the ${of.length} items drawn; its peak is ${peaks[only]}.`;
    };
    const pick = axes.map((a, i) => {
      const select = choose(controls, a, `${a} axis: dimension`, dimensions, () => show(i === 0));
      select.value = String(i);
      return select;
    });
    const spikes = Object.fromEntries(meta.covers.map(({ name, peaks }, c) => [
      name,
      [[`${c} all`, "the ten largest"], ...peaks.map((peak, k) => [`${c} ${k}`, `${k + 1}: ${peak}`])],
    ]));
    const spike = choose(controls, "Spikes", "Spikes to colour", spikes, () => show(false));
    const button = add(controls, "button", { type: "button" });
    let timer = 0, paused = false, seen = true;
    const step = () => {
      if (paused || !seen || document.hidden) return;
      const { x, y, z } = plot.layout.scene.camera.eye;
      const [radius, angle] = [Math.hypot(x, y), Math.atan2(y, x) + 0.012];
      window.Plotly.relayout(plot, {
        "scene.camera.eye": { x: radius * Math.cos(angle), y: radius * Math.sin(angle), z },
      });
    };
    const turn = (on) => {
      clearInterval(timer);
      timer = on ? setInterval(step, 60) : 0;
      button.textContent = on ? "Stop turning" : "Turn";
    };
    button.addEventListener("click", () => turn(!timer));
    plot.addEventListener("pointerenter", () => { paused = true; });
    plot.addEventListener("pointerleave", () => { paused = false; });
    plot.addEventListener("pointerdown", () => turn(false), true);
    new IntersectionObserver((entries) => { seen = entries.at(-1).isIntersecting; }).observe(plot);
    turn(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
    return show(false);
  };

  // Cover profiles, with a slider for each threshold.
  const profile = (plot, controls, summary, meta) => {
    const percent = (share) => `${Number((100 * share).toPrecision(3))} %`;
    const show = () => {
      const [t, r] = [Number(theta.value), Number(rho.value)];
      const curves = meta.curves[t].map(({ peaks, share, needed }) => {
        const kept = peaks.indexOf(needed[r]) + 1;
        return [peaks.slice(0, kept), share.slice(0, kept), needed[r]];
      });
      const numbers = curves.map(([, , n], i) => `${meta.labels[i]}: ${n} peaks, Spk ${percent(n / meta.n)}`);
      summary.textContent = `${numbers.join("; ")}.`;
      return window.Plotly.update(
        plot,
        { x: curves.map((c) => c[0]), y: curves.map((c) => c[1]), name: numbers },
        { "shapes[0].y0": meta.rho[r], "shapes[0].y1": meta.rho[r] },
      );
    };
    const degrees = (c) => `${c.toFixed(2)} (${Math.round((180 * Math.acos(c)) / Math.PI)}°)`;
    const theta = slide(controls, "cos θ", meta.cos_theta, meta.start[0], degrees, () => show());
    const rho = slide(controls, "ρ", meta.rho, meta.start[1], percent, () => show());
    return show();
  };

  const webgl = () => Boolean(document.createElement("canvas").getContext("webgl"));

  const draw = async (box) => {
    if (box.dataset.started) return;
    box.dataset.started = "yes";
    const figure = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    const { meta } = figure.layout;
    const still = box.querySelector(".spiky-still");
    if (!window.Plotly || (meta.kind === "scatter3d" && !webgl())) {
      still.textContent = window.Plotly
        ? "A still picture: this browser has no WebGL, which the turning one needs."
        : "A still picture: the moving one is in the book.";
      return;
    }
    const [plot, controls, summary] = ["plot", "controls", "summary"].map((c) => box.querySelector(`.spiky-${c}`));
    box.classList.add("drawn");
    await window.Plotly.newPlot(plot, figure.data, figure.layout, { displayModeBar: false });
    // Not Plotly's "responsive": it measures once, 100 ms after the window, when the sidebars are still on their way.
    new ResizeObserver(() => plot.clientWidth && window.Plotly.Plots.resize(plot)).observe(plot);
    await { scatter3d, profile }[meta.kind](plot, controls, summary, meta);
    box.dataset.ready = "yes";
  };

  const all = () => document.querySelectorAll(".spiky-figure").forEach(draw);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else if (document.readyState === "complete") all();
  else window.addEventListener("load", all);
})();
