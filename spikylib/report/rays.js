// Rows of an embedding as points around the origin, turning: a canvas, no library, no request.
// rays(box, {points, spike, names, peaks, colours}) draws into an element: points are rows of at least three
// numbers within [-1, 1], spike the number of a colour or -1, names what the pointer reads.
function rays(box, data) {
  const canvas = box.appendChild(document.createElement("canvas"));
  const name = box.appendChild(document.createElement("div"));
  name.className = "name";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", box.dataset.label || "Points around the origin");
  const pen = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const n = data.points.length;
  let order = Array.from({ length: n }, (_, i) => i);
  let axes = [0, 1, 2];
  let [turn, tilt] = [0.6, 0.35];
  let turning = !still.matches;
  let pointed = -1;
  let placed = [];
  let dragged = null;

  const grey = () => getComputedStyle(box).getPropertyValue("--grey") || "#b0b0b0";
  const ink = () => getComputedStyle(box).color;

  function size() {
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
    draw();
  }

  // a point as seen: right, up, and how near
  function seen([x, y, z]) {
    const [ct, st, cp, sp] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
    const [right, depth] = [ct * x + st * z, -st * x + ct * z];
    return [right, cp * y - sp * depth, sp * y + cp * depth];
  }

  function draw() {
    const [w, h] = [canvas.width, canvas.height];
    const reach = 0.46 * Math.min(w, h);
    const at = ([right, up]) => [w / 2 + right * reach, h / 2 - up * reach];
    pen.clearRect(0, 0, w, h);
    pen.strokeStyle = ink();
    pen.fillStyle = ink();
    pen.font = `${Math.round(12 * (window.devicePixelRatio || 1))}px system-ui, sans-serif`;
    pen.globalAlpha = 0.5;
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]].forEach((axis, i) => {
      pen.beginPath();
      pen.moveTo(...at(seen([0, 0, 0])));
      pen.lineTo(...at(seen(axis)));
      pen.stroke();
      const label = `dim ${axes[i] + 1}`;
      const [x, y] = at(seen(axis.map((a) => 1.02 * a)));
      pen.fillText(label, Math.min(x, w - pen.measureText(label).width), y);
    });
    const views = data.points.map((p) => seen(axes.map((a) => p[a])));
    order.sort((a, b) => views[a][2] - views[b][2]);
    const none = grey();
    const dot = 1.6 * (window.devicePixelRatio || 1);
    placed = [];
    for (const i of order) {
      const [x, y] = at(views[i]);
      const on = data.spike[i] >= 0;
      pen.globalAlpha = on ? 0.85 : 0.45;
      pen.fillStyle = on ? data.colours[data.spike[i] % data.colours.length] : none;
      const r = i === pointed ? 3 * dot : on ? 1.4 * dot : dot;
      pen.beginPath();
      pen.arc(x, y, r, 0, 2 * Math.PI);
      pen.fill();
      placed.push([x, y, i]);
    }
    pen.globalAlpha = 1;
  }

  function nearest(event) {
    const frame = canvas.getBoundingClientRect();
    const scale = canvas.width / frame.width;
    const [x, y] = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
    let [best, found] = [(12 * scale) ** 2, -1];
    for (const [px, py, i] of placed) {
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far <= best) [best, found] = [far, i];
    }
    return found;
  }

  function show(i) {
    pointed = i;
    const spike = i >= 0 ? data.spike[i] : -1;
    const of = spike >= 0 && data.peaks[spike] !== data.names[i] ? `, on the spike of ${data.peaks[spike]}` : "";
    name.textContent = i >= 0 ? data.names[i] + of : "";
  }

  canvas.addEventListener("pointerdown", (event) => {
    dragged = [event.clientX, event.clientY, turn, tilt];
    turning = false;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragged) {
      turn = dragged[2] + (event.clientX - dragged[0]) / 150;
      tilt = Math.max(-1.5, Math.min(1.5, dragged[3] + (event.clientY - dragged[1]) / 150));
    } else {
      show(nearest(event));
    }
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { dragged = null; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (event.key === " ") turning = !turning;
    else if (step) [turn, tilt, turning] = [turn + step[0], Math.max(-1.5, Math.min(1.5, tilt + step[1])), false];
    else return;
    event.preventDefault();
    if (turning) requestAnimationFrame(spin);
    draw();
  });

  const dims = data.points.length ? data.points[0].length : 0;
  if (dims > 3) {
    const label = document.createElement("label");
    label.textContent = "Dimensions ";
    const select = label.appendChild(document.createElement("select"));
    for (let d = 0; d + 3 <= dims; d += 1) select.add(new Option(`${d + 1} to ${d + 3}`, d));
    select.addEventListener("change", () => {
      const first = Number(select.value);
      axes = [first, first + 1, first + 2];
      draw();
    });
    box.after(label);
  }

  let last = 0;
  function spin(now) {
    if (!turning || !box.isConnected) return;
    // not on a page that nobody looks at
    if (!document.hidden && now - last > 40) {
      turn += 0.006;
      last = now;
      draw();
    }
    requestAnimationFrame(spin);
  }

  new ResizeObserver(size).observe(canvas);
  size();
  if (turning) requestAnimationFrame(spin);
  return {
    update(changed) { data = { ...data, ...changed }; order = data.points.map((_, i) => i); draw(); },
  };
}

document.querySelectorAll(".rays").forEach((box) => {
  rays(box, JSON.parse(box.parentElement.querySelector(".rays-data").textContent));
});

// Of the largest spikes, as a report has them: for pages that choose no colours of their own.
rays.COLOURS = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#56b4e9"];
