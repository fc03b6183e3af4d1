/* Steps through a computation. The figure's data stands in the page as JSON; every text of it is set as
   text, never as markup; `recompute`, before this, is the figure's program. Order of this file: state, drawing, steps,
   answers, panel, new numbers, camera, input. */
(() => {
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const { words, values, slopes, views } = data;
const byId = (id) => document.getElementById(id);
const [stage, figure, panel, slider] = ["stage", "figure", "panel", "slider"].map(byId);
const still = matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  view: 0, // which layout
  step: 0, // what has been computed: 0 is nothing
  exercise: false, // whether derivatives are hidden
  revealed: new Set(), // wires whose derivative was asked for, or found
  tried: new Map(), // what was written in for a wire's derivative, and is not it
  chosen: null, // { op } or { value }: what the panel tells about; { numbers }: the fields for new numbers
  timer: 0, // of playing
};
let view = views[0];

/* A word, with {name} replaced. */
const say = (key, what = {}) => words[key].replace(/\{(\w+)[^}]*\}/g, (all, name) => what[name] ?? all);

const listed = (parts) =>
  parts.length < 2 ? parts[0] ?? words.nothing : parts.slice(0, -1).join(words.comma) + words.and + parts.at(-1);

/* An element of HTML: its classes, its attributes, and children, of which strings are text. */
function html(tag, classes = "", attributes = {}, ...children) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/* An element of SVG, added to its parent. */
function svg(parent, tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/* ---------------------------------------------------------------------------------------------------
   Drawing a layout. `elements` keeps what appears in a step; `nodes` what can be chosen; `answers` what an
   exercise covers; `formulas` what a legend says of derivatives; `using` the uses of each value along which a derivative comes back. */

let elements, nodes, answers, using, formulas;

function draw() {
  view = views[state.view];
  using = new Map();
  for (const [id, use] of Object.entries(view.uses)) {
    if (!using.has(use.value)) using.set(use.value, []);
    if (use.flows) using.get(use.value).push([id, use]);
  }
  elements = [];
  nodes = [];
  answers = new Map();
  formulas = [];
  figure.replaceChildren();
  const layers = Object.fromEntries(["groups", "lines", "nodes", "numbers", "badges"].map((name) => [name, svg(figure, "g", { class: name })]));
  const owners = new Map();
  for (const shape of view.shapes) {
    const layer = shape.kind === "group" ? layers.groups : layers.nodes;
    owners.set(shape.id, drawShape(layer, shape));
  }
  for (const line of view.lines) drawLine(layers.lines, line);
  for (const text of view.texts) {
    const owner = owners.get(text.id.replace(/-text\d+$/, ""));
    if (owner && text.op) drawText(owner, text);
    else if (text.side) drawNumber(layers.numbers, text);
    else if (text.role === "name") drawName(layers.nodes, text);
    else {
      const drawn = drawText(svg(layers.groups, "g", { class: "label" }), text);
      keep(drawn.parentNode, text.k);
      if (text.asked) formulas.push({ element: drawn, ...text });
    }
  }
  for (const shape of view.shapes) if (!shape.id.startsWith("back-")) drawBadge(layers.badges, shape);
  byId("layer-tools").hidden = views.length < 2;
  byId("open-all").disabled = state.view === data.opened;
  byId("close-all").disabled = state.view === data.closed;
}

function keep(element, k) {
  elements.push({ element, k });
  return element;
}

function drawShape(parent, { id, kind, x, y, w, h, k, op, looks }) {
  const g = keep(svg(parent, "g", { id, class: marked(op ? "node" : "part", looks) }), k);
  const outline = { class: `outline ${kind}` };
  if (["circle", "oval", "fork", "cloud"].includes(kind)) {
    const shrink = kind === "cloud" ? 0.45 : 0.5;
    svg(g, "ellipse", { ...outline, cx: x, cy: y, rx: w * shrink, ry: h * shrink });
  } else {
    svg(g, "rect", { ...outline, x: x - w / 2, y: y - h / 2, width: w, height: h, rx: kind === "cell" ? 0 : Math.min(12, h / 4) });
  }
  if (op) {
    const ring = kind === "box" ? { rx: 15 } : { rx: (Math.min(w, h) + 8) / 2 };
    svg(g, "rect", { class: "ring", x: x - w / 2 - 4, y: y - h / 2 - 4, width: w + 8, height: h + 8, ...ring });
    makeChoice(g, { op }, view.ops[op].says);
  }
  return g;
}

const marked = (...marks) => marks.filter(Boolean).join(" ");

function drawText(parent, text) {
  const marks = [text.role, text.anchor, text.bold && "bold", text.halo && "halo", text.parameter && "parameter", text.looks];
  if (text.entries) return drawMatrix(parent, text, marked(...marks));
  if (text.role === "key") svg(parent, "rect", { class: "key", x: text.x - text.w / 2, y: text.y - text.h / 2, width: text.w, height: text.h });
  const starts = text.role === "legend" || text.role === "note" || text.anchor === "start";
  const x = text.x + (starts ? -text.w / 2 : text.anchor === "end" ? text.w / 2 : 0);
  return svg(parent, "text", {
    id: text.id, class: marked(...marks), x, y: text.y + text.size * 0.35, "font-size": text.size,
  }, text.text);
}

/* Numbers in rows between brackets; to those who listen, what it is in one line. */
function drawMatrix(parent, text, marks) {
  const g = svg(parent, "g", { id: text.id, class: marked("rows", marks) });
  svg(g, "title", {}, text.text);
  for (const [said, x, y] of text.entries) svg(g, "text", { class: marked("end", marks), x, y: y + text.size * 0.35, "font-size": text.size }, said);
  for (const points of text.brackets) drawPath(g, points);
  return g;
}

/* A name: what is given, or what comes out. */
function drawName(parent, text) {
  const g = keep(svg(parent, "g", { class: "node name" }), text.k);
  const box = { x: text.x - text.w / 2 - 4, y: text.y - text.h / 2 - 2, width: text.w + 8, height: text.h + 4 };
  svg(g, "rect", { class: "hit", ...box });
  drawText(g, text);
  svg(g, "rect", { class: "ring", ...box, rx: 4 });
  makeChoice(g, { value: text.value }, nameOf(text.value));
}

function makeChoice(g, choice, label) {
  for (const [key, value] of Object.entries({ role: "button", tabindex: 0, "aria-label": label })) g.setAttribute(key, value);
  nodes.push({ element: g, choice, label });
  onPress(g, () => choose(choice));
}

/* What is written along a wire: values above; derivatives below, which an exercise covers. */
function drawNumber(parent, text) {
  const hides = text.side === "below" && view.uses[text.wire]?.op !== null && text.role !== "shape" && text.role !== "key";
  if (!hides) {
    const g = keep(svg(parent, "g", { class: "number" }), text.k);
    drawText(g, text);
    onPress(g, () => choose({ value: text.value }));
    return;
  }
  let answer = answers.get(text.id.split("-text")[0]);
  if (!answer) {
    const g = keep(svg(parent, "g", { class: "number answer", "data-wire": text.wire }), text.k);
    const [w, h] = [Math.max(30, text.w + 4), text.h + 1];
    const blank = svg(g, "g", { class: "blank" });
    svg(blank, "rect", { x: text.x - w / 2, y: text.y - h / 2 + 1, width: w, height: h - 1, rx: 4 });
    svg(blank, "text", { x: text.x, y: text.y + 5 }, "?");
    svg(g, "rect", { class: "ring", x: text.x - w / 2 - 3, y: text.y - h / 2 - 3, width: w + 6, height: h + 6, rx: 6 });
    answer = { element: g, wire: text.wire, value: text.value };
    answers.set(text.id.split("-text")[0], answer);
    onPress(g, () => (state.exercise ? reveal(text.wire) : choose({ value: text.value })));
  }
  drawText(answer.element, text).classList.add("secret");
}

/* An arrow: hollow and thin forward, solid and thick backward. */
function drawLine(parent, { id, way, points, tip, k, wire, looks, weight, head }) {
  const g = keep(svg(parent, "g", { id, class: marked("line", way, looks) }), k);
  if (weight) g.style.setProperty("--weight", weight);
  const way_ = points.map((point) => [...point]);
  if (tip) {
    const [length, width] = way === "backward" ? [10 * (head ?? 1), Math.max(7 * (head ?? 1), 2.2 * (weight ?? 0))] : [7.5, 5.5];
    const [[x0, y0], [x1, y1]] = way_.slice(-2);
    const distance = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [ux, uy] = [(x1 - x0) / distance, (y1 - y0) / distance];
    const [bx, by] = [x1 - ux * length, y1 - uy * length];
    const side = (s) => `${bx - uy * width / 2 * s},${by + ux * width / 2 * s}`;
    way_[way_.length - 1] = [bx, by];
    drawPath(g, way_);
    svg(g, "polygon", { points: `${x1},${y1} ${side(1)} ${side(-1)}` });
  } else {
    drawPath(g, way_);
  }
  if (wire) g.dataset.wire = wire;
}

/* A path; it is as if 1 long, by which it is drawn little by little, unless it is dashed. */
function drawPath(parent, points) {
  const length = parent.matches(".negative, .nothing") ? {} : { pathLength: 1 };
  return svg(parent, "path", { d: "M" + points.map((point) => point.join(",")).join("L"), ...length });
}

/* The + of a closed layer, the − of an open one. */
function drawBadge(parent, { id, x, y, w, h, k, op, kind }) {
  const layer = id.split("-")[0];
  const closed = kind === "box" && op !== undefined;
  if (!(layer in view.go) || !(closed || kind === "group")) return;
  const title = closed ? view.ops[op].symbol : view.texts.find((text) => text.id.startsWith(`${id}-title`))?.text ?? "";
  const label = say(closed ? "open" : "close", { name: title });
  const [cx, cy] = [x + w / 2 - (closed ? 2 : 14), y - h / 2 + (closed ? 2 : 0)];
  const g = svg(parent, "g", { class: "badge", role: "button", tabindex: 0, "aria-label": label, "data-layer": layer });
  svg(g, "circle", { cx, cy, r: 7.5 });
  svg(g, "path", { d: `M${cx - 3.5},${cy}h7` + (closed ? `M${cx},${cy - 3.5}v7` : "") });
  svg(g, "circle", { class: "ring", cx, cy, r: 11 });
  svg(g, "title", {}, label);
  onPress(g, () => {
    go(view.go[layer], layer);
    figure.querySelector(`.badge[data-layer="${layer}"]`)?.focus({ preventScroll: true });
  });
}

/* What a click does, or Enter, or the space bar for those who come by the keyboard. */
function onPress(element, action) {
  element.addEventListener("click", () => !camera.moved && action());
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || (event.key === " " && element.matches(":focus-visible"))) {
      event.preventDefault();
      event.stopPropagation();
      action();
    }
  });
}

/* ---------------------------------------------------------------------------------------------------
   Steps */

function show(step, moving = false) {
  const forth = moving && step === state.step + 1;
  state.step = Math.max(0, Math.min(step, view.steps.length));
  const now = view.steps[state.step - 1];
  for (const { element, k } of elements) {
    element.classList.toggle("pending", k > state.step);
    element.classList.toggle("fresh", forth && k === state.step && k > 0);
  }
  for (const { element, choice } of nodes) element.classList.toggle("current", Boolean(now && choice.op && choice.op === now.op));
  figure.classList.toggle("going-back", Boolean(now?.back));
  slider.max = view.steps.length;
  slider.value = state.step;
  slider.disabled = view.steps.length === 0;
  const told = caption(now);
  slider.setAttribute("aria-valuetext", say("step_of", { k: state.step, n: view.steps.length }) + (now ? `, ${words[now.back ? "backward" : "forward"]}` : ""));
  byId("caption").textContent = told;
  byId("counter").textContent = `${state.step} / ${view.steps.length}`;
  const forwards = view.steps.filter((one) => !one.back).length;
  document.documentElement.style.setProperty("--split", `${(100 * forwards) / (view.steps.length || 1)}%`);
  byId("first").disabled = byId("previous").disabled = state.step === 0;
  byId("last").disabled = byId("next").disabled = state.step === view.steps.length;
  if (moving) follow();
  cover();
  tell();
}

/* The sentence of a step. */
function caption(now) {
  if (!now) return words.start;
  if (!now.op) {
    const ends = Object.values(view.uses).filter((use) => use.op === null && use.flows);
    return ends.map((use) => say("seed", { d: values[use.value].d, grad: slopeOf(use, use.value) })).join(" ") || words.start;
  }
  return now.back ? goingBack(now.op) : view.ops[now.op].says;
}

/* What an operation passes back, with what is still to be found out as a question mark. */
function goingBack(id) {
  const op = view.ops[id];
  const arriving = op.outputs.filter((value) => values[value].flows).map((value) => (known(value) ? slopeOf(values[value], value) : "?"));
  const backs = op.inputs.filter((use) => view.uses[use].flows).map((use) =>
    say("sends", { grad: open(use) ? slopeOf(view.uses[use], view.uses[use].value) : "?", name: nameOf(view.uses[use].value) }));
  return backs.length && arriving.length ? say("back", { arriving: listed(arriving), backs: listed(backs) }) : op.says;
}

/* Numbers in a sentence: one number, or few in a row. */
function plain(cells) {
  if (!cells || cells.text !== undefined) return null;
  if (Array.isArray(cells)) return cells[0];
  const [row, ...more] = cells.rows;
  return more.length || row.length > 4 ? null : `[${row.map(([said]) => said).join(", ")}]`;
}

/* A value in a sentence; its derivative, or what one use contributes to that. */
const amount = (id) => values[id].amount ?? plain(values[id].data) ?? say("array", { shape: values[id].shape });
const slopeOf = ({ said, grad }, id) => said ?? plain(grad) ?? values[id].d;

/* What a value is called in a sentence, and in a formula. */
const nameOf = (id) => values[id].name || values[id].symbol || (values[id].shape && values[id].called) || amount(id);
const calledIn = (id) => values[id].name || values[id].symbol || values[id].called || amount(id);

function play() {
  if (state.timer) return pause();
  if (state.step >= view.steps.length) show(0);
  const next = () => {
    show(state.step + 1, true);
    if (state.step >= view.steps.length) pause();
  };
  state.timer = setInterval(next, 1400);
  setPlaying(true);
  next();
}

function pause() {
  clearInterval(state.timer);
  state.timer = 0;
  setPlaying(false);
}

function setPlaying(playing) {
  document.body.classList.toggle("playing", playing);
  byId("play").setAttribute("aria-label", words[playing ? "pause" : "play"]);
  byId("play").title = words[playing ? "pause" : "play"];
  byId("caption").setAttribute("aria-live", playing ? "off" : "polite");
}

function stepTo(step) {
  pause();
  show(step, true);
}

/* Another layout, in which as much has been computed; `layer` stays where it was on the screen. */
function go(index, layer) {
  const at = state.step === view.steps.length ? Infinity : (view.steps[state.step - 1]?.at ?? 0); // the end stays the end
  const before = layer && centreOf(layer);
  state.view = index;
  draw();
  const chosen = state.chosen;
  if (chosen?.op && !(chosen.op in view.ops)) choose(null);
  show(view.steps.filter((step) => step.at <= at).length);
  const after = layer && centreOf(layer);
  if (wholeScale() >= LEGIBLE || !before || !after) fit();
  else moveCamera(camera.x + after[0] - before[0], camera.y + after[1] - before[1], camera.scale);
}

/* Where a layer is: its box, or all that is drawn of it. */
function centreOf(layer) {
  const shape = view.shapes.find(({ id }) => id.split("-")[0] === layer);
  return shape && [shape.x, shape.y];
}

/* ---------------------------------------------------------------------------------------------------
   Answers */

/* Whether what a use passes back may be seen; whether ∂L/∂value may. */
const open = (use) => !state.exercise || view.uses[use].op === null || state.revealed.has(use);
function known(value) {
  const own = usesOf(value);
  const trunk = own.find(([, use]) => use.trunk)?.[1].trunk;
  return !state.exercise || (own.length > 1 && trunk ? state.revealed.has(trunk) : own.every(([id]) => open(id)));
}
const usesOf = (value) => using.get(value) ?? [];
const wireOf = (value) => {
  const own = usesOf(value);
  return own.length > 1 ? own[0][1].trunk : own[0]?.[0];
};

function reveal(wire) {
  if (state.revealed.has(wire)) state.revealed.delete(wire);
  else state.revealed.add(wire);
  cover();
  tell();
  const now = view.steps[state.step - 1];
  byId("caption").textContent = caption(now);
}

const allWires = () => [...answers.values()].map(({ wire }) => wire);

/* Puts the boxes of an exercise over what was not asked for, and names everything for those who listen. */
function cover() {
  figure.classList.toggle("exercise", state.exercise);
  for (const { element, wire, value } of answers.values()) {
    const shown = state.revealed.has(wire);
    const reached = !element.classList.contains("pending");
    element.classList.toggle("revealed", shown);
    for (const name of ["role", "tabindex", "aria-label"]) element.removeAttribute(name);
    if (state.exercise && reached) {
      const label = say(shown ? "hide" : "reveal", { d: values[value].d });
      for (const [key, value_] of Object.entries({ role: "button", tabindex: 0, "aria-label": label })) element.setAttribute(key, value_);
    }
  }
  for (const { element, text, asked, value } of formulas) element.textContent = known(value) ? text : asked;
  for (const { element, choice, label } of nodes) element.setAttribute("aria-label", choice.op ? spoken(choice.op) : spokenValue(choice.value, label));
  const all = allWires().every((wire) => state.revealed.has(wire));
  byId("exercise").setAttribute("aria-pressed", state.exercise);
  byId("exercise-tools").hidden = answers.size === 0;
  byId("answers").hidden = !state.exercise;
  byId("answers").textContent = words[all ? "hide_all" : "reveal_all"];
}

function spoken(id) {
  const op = view.ops[id];
  if (state.step < op.k) return op.name;
  const back = op.back && state.step >= op.back && op.inputs.some((use) => view.uses[use].flows);
  return op.says + (back ? " " + goingBack(id) : "");
}

function spokenValue(id, name) {
  const uses = usesOf(id);
  const reached = uses.length && uses.every(([, use]) => use.back && use.back <= state.step);
  if (!reached || !known(id)) return name;
  return say("given", { name, value: amount(id) }) + say("gradient", { d: values[id].d, grad: slopeOf(values[id], id) });
}

function setExercise(on) {
  state.exercise = on;
  state.revealed.clear();
  state.tried.clear();
  if (on) show(view.steps.length);
  else show(state.step);
}

/* ---------------------------------------------------------------------------------------------------
   The panel */

function choose(choice) {
  state.chosen = choice;
  const opened = panel.hidden && choice;
  panel.hidden = !choice;
  tell();
  if (!opened) return bringChosen();
  panel.scrollTop = 0;
  camera.narrowed = true;
}

function bringChosen() {
  const chosen = nodes.find(({ element }) => element.classList.contains("chosen"));
  if (chosen) bring([chosen.element], 0.5);
}

function tell() {
  const choice = state.chosen;
  for (const { element, choice: own } of nodes) {
    const chosen = Boolean(choice) && own.op === choice.op && own.value === choice.value;
    element.classList.toggle("chosen", chosen);
    element.setAttribute("aria-pressed", chosen);
  }
  byId("numbers").setAttribute("aria-expanded", Boolean(choice?.numbers));
  if (!choice) return panel.replaceChildren();
  if (choice.numbers) return showFields();
  const dismiss = dismisser();
  const focused = document.activeElement?.dataset.key;
  panel.replaceChildren(...(choice.op ? aboutOperation(choice.op, dismiss) : aboutValue(choice.value, dismiss)));
  if (focused) panel.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function dismisser() {
  const button = html("button", "", { type: "button", "aria-label": words.dismiss, title: words.dismiss }, "×");
  button.addEventListener("click", () => choose(null));
  return button;
}

function aboutOperation(id, dismiss) {
  const op = view.ops[id];
  const title = op.symbol === op.name ? [op.name] : [html("span", "sign", {}, op.symbol), op.name];
  const made = [html("div", "head", {}, html("h2", "", {}, title), dismiss)];
  const facts = [];
  if (op.parts > 1) facts.push(html("p", "soft", {}, say("stands_for", { n: op.parts })));
  if (id.split("-")[0] in view.go && op.layer) {
    const opener = html("button", "wide", { type: "button" }, say("open", { name: op.symbol }));
    opener.addEventListener("click", () => go(view.go[id.split("-")[0]], id.split("-")[0]));
    facts.push(html("p", "", {}, opener));
  }
  const rows = [[words.where, op.within], ...op.settings].filter(([, value]) => value);
  if (rows.length) facts.push(html("dl", "", {}, rows.flatMap(([key, value]) => [html("dt", "", {}, key), html("dd", "", {}, value)])));
  made.push(...facts, html("h3", "", {}, words.forward));
  if (state.step >= op.k) {
    const entry = (value) => html("dd", "", {}, calledNumber(value));
    made.push(html("dl", "", {},
      op.inputs.map((use, i) => [html("dt", "", {}, i ? "" : words.takes), entry(view.uses[use].value)]).flat(),
      op.outputs.map((value, i) => [html("dt", "", {}, i ? "" : words.gives), entry(value)]).flat()));
  } else {
    made.push(later(op.k));
  }
  if (Object.values(view.uses).some((use) => use.flows)) made.push(html("h3", "back", {}, words.backward), ...op.inputs.map((use) => aboutUse(use, op)));
  return made;
}

/* A value with its name: apple = 100. */
function calledNumber(value) {
  const { data: cells, shape } = values[value];
  const called = calledIn(value);
  const shown = cells ? matrix(cells) : html("span", "soft", {}, shape);
  return called === (plain(cells) ?? amount(value)) ? [shown] : [html("span", "formula", {}, called), cells ? " = " : " ", shown];
}

/* arrives × local derivative = passed on, for one input. */
function aboutUse(id, op) {
  const use = view.uses[id];
  const { d } = values[use.value];
  const name = calledIn(use.value);
  if (!use.flows) return html("p", "soft", {}, say("no_derivative", { name }));
  const made = html("section", "input", { "data-use": id }, html("p", "to", {}, say("to", { name })));
  const slope = op.parts === 1 && !op.layer ? slopes[id] : null;
  const up = op.outputs.filter((value) => values[value].flows);
  const parts = usesOf(use.value).length;
  if (slope?.rule) made.append(html("p", "formula", {}, `${d} = ${slope.rule}`));
  else if (slope?.general) made.append(html("p", "formula", {}, html("span", "soft", {}, words.general + ": "), slope.general));
  if (parts > 1) made.append(html("p", "soft", {}, say("one_of", { n: parts, d })));
  if (use.back > state.step) {
    made.append(later(use.back));
    return made;
  }
  const arriving = up.length === 1 ? { cells: values[up[0]].grad, wire: known(up[0]) ? null : wireOf(up[0]), d: values[up[0]].d } : null;
  const passed = { cells: use.grad, wire: open(id) ? null : id, d };
  const scalar = Array.isArray(slope?.data) && Array.isArray(arriving?.cells) && Array.isArray(passed.cells);
  if (scalar) {
    made.append(html("div", "product", {},
      derivativeOf(arriving, "arrives"), html("span", "sign", {}, "×"), html("span", "number", { "data-part": "local" }, exact(slope.data)),
      html("span", "sign", {}, "="), derivativeOf(passed, "passed"),
      html("span", "symbol derivative", {}, arriving.d), html("i"), html("span", "symbol", {}, slope.symbol ?? ""), html("i"), html("span", "symbol derivative", {}, d),
      html("span", "what", {}, words.arrives), html("i"), html("span", "what", {}, words.local), html("i"), html("span", "what", {}, words.passed)));
    return made;
  }
  const stack = html("div", "stack");
  const row = (word, content) => stack.append(html("span", "what", {}, words[word]), html("div", "", {}, content));
  if (arriving) row("arrives", derivativeOf(arriving, "arrives"));
  if (slope?.data && slope.symbol !== "1") row("local", [slope.symbol ? html("p", "formula", {}, slope.symbol) : null, html("span", "number", { "data-part": "local" }, matrix(slope.data))]);
  row("passed", derivativeOf(passed, "passed"));
  made.append(stack);
  return made;
}

/* A derivative, or a button that asks for it. */
function derivativeOf({ cells, wire, d }, part) {
  if (wire) return ask(wire, d);
  return html("span", "number derivative", { "data-part": part }, cells ? matrix(cells) : html("span", "", {}, d));
}

function ask(wire, d) {
  const button = html("button", "ask", { type: "button", "aria-label": say("reveal", { d }), "data-key": wire }, "?");
  button.addEventListener("click", () => reveal(wire));
  const cells = view.uses[wire]?.grad ?? values[[...answers.values()].find((answer) => answer.wire === wire)?.value]?.grad;
  if (!Array.isArray(cells)) return button;
  const field = html("input", "", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": d, "data-key": `try-${wire}` });
  const tried = state.tried.get(wire);
  field.value = tried ?? "";
  field.setAttribute("aria-invalid", tried !== undefined);
  field.addEventListener("change", () => check(wire, field.value, Number(cells[1])));
  return html("span", "try", {}, field, button, html("span", "what", { role: "status" }, tried === undefined ? "" : words.not_it));
}

/* Looks at an answer that was written in: the right one is shown on the figure. */
function check(wire, typed, number) {
  if (isRight(typed, number)) {
    state.tried.delete(wire);
    return reveal(wire);
  }
  if (typed.trim()) state.tried.set(wire, typed);
  else state.tried.delete(wire);
  tell();
}

/* A number is right if it is written as on the figure, or rounded to at least three places. */
function isRight(typed, number) {
  const found = numberOf(typed);
  const places = typed.replace(/e.*/i, "").replace(/\D/g, "").replace(/^0+/, "").length;
  return numberText(found) === numberText(number) || (places >= 3 && found === Math.sign(number) * roundTo(Math.abs(number), places));
}

function aboutValue(id, dismiss) {
  const value = values[id];
  const made = [html("div", "head", {}, html("h2", "", {}, calledIn(id)), dismiss)];
  const made_at = Math.min(...Object.values(view.ops).filter((op) => op.outputs.includes(id)).map((op) => op.k), Infinity);
  const rows = [
    [words.value, value.made && state.step < made_at ? later(made_at) : value.data ? matrix(value.data) : null],
    [words.shape, value.shape], [words.dtype, value.dtype],
  ].filter(([, content]) => content);
  made.push(html("p", "soft", {}, words[value.kind]));
  made.push(html("dl", "", {}, rows.flatMap(([key, content]) => [html("dt", "", {}, key), html("dd", "", {}, content)])));
  if (id in given) {
    const change = html("button", "wide", { type: "button" }, words.change);
    change.addEventListener("click", () => askNumbers(id));
    made.push(html("p", "", {}, change));
  }
  const own = usesOf(id);
  if (!own.length) return made;
  made.push(html("h3", "back", {}, words.backward));
  const last = Math.max(...own.map(([, use]) => use.back));
  const total = html("p", "", {}, html("span", "formula", {}, `${value.d} = `));
  if (last > state.step) total.append(later(last));
  else if (known(id)) total.append(html("span", "number derivative", { "data-part": "total" }, value.grad ? matrix(value.grad) : value.d));
  else if (wireOf(id)) total.append(ask(wireOf(id), value.d));
  else total.append("?");
  made.push(total);
  if (own.length > 1) {
    made.push(html("p", "soft", {}, say("sum_of", { n: own.length })));
    const list = html("ul");
    for (const [use, { grad, op, back }] of own) {
      const content = back > state.step ? later(back) : open(use) ? html("span", "derivative", { "data-part": "contribution" }, grad ? matrix(grad) : value.shape) : ask(use, value.d);
      list.append(html("li", "", {}, content, op ? html("span", "soft", {}, ` ← ${view.ops[op].symbol}`) : ""));
    }
    made.push(list);
  }
  return made;
}

/* What is not computed yet, and the way there. */
function later(k) {
  const button = html("button", "link soft", { type: "button" }, say("not_yet", { k }));
  button.addEventListener("click", () => stepTo(k));
  return button;
}

/* A number as it is said, with all its digits in its value. */
const exact = ([said, value]) => html("data", "", { value, title: value }, said);

/* Numbers in brackets: a vector is one row. */
function matrix(cells) {
  if (Array.isArray(cells)) return exact(cells);
  if (cells.text !== undefined) return html("span", "", {}, cells.text);
  const rows = cells.rows.map((row) => html("tr", "", {}, row.map((cell) => html("td", "", {}, exact(cell)))));
  return html("span", "matrix", { tabindex: 0 }, html("table", "", { role: "presentation" }, html("tbody", "", {}, rows)));
}

/* ---------------------------------------------------------------------------------------------------
   New numbers: the figure's program computes values, derivatives, contributions and local derivatives from those given,
   and whatever shows one is written anew. */

const given = Object.fromEntries(data.leaves.map((id) => [id, values[id].data[1]]));
const first = { ...given };

function compute() {
  const found = recompute(given);
  const changed = data.leaves.some((id) => given[id] !== first[id]);
  const cells = (x, type) => [type === "bool" ? (x ? "True" : "False") : numberText(x), Number.isFinite(x) ? x : String(x)];
  for (const [id, x] of Object.entries(found.values)) if (values[id]) values[id].data = cells(x, values[id].dtype);
  for (const [id, x] of Object.entries(found.totals)) if (values[id]?.grad) values[id].grad = cells(x);
  for (const [id, x] of Object.entries(found.slopes)) if (slopes[id]?.data) slopes[id].data = cells(x);
  for (const { uses, ops, texts } of views) {
    for (const use of Object.values(uses)) if (use.grad) use.grad = cells(use.parts.reduce((sum, part) => sum + found.grads[part], 0));
    const named = (id) => (values[id].name ? `${values[id].name} (${amount(id)})` : amount(id));
    for (const op of Object.values(ops)) {
      if (!op.fixed) op.says = say("operation", { op: op.called, inputs: listed(op.inputs.map((use) => named(uses[use].value))), outputs: listed(op.outputs.map(named)) });
    }
    for (const text of texts) {
      if (!text.shows) continue;
      const [of, id, before, after] = text.shows;
      text.text = before + (uses[id] ?? values[id])[of][0] + (changed ? "" : after); // a check was one of the first numbers
    }
  }
  if (data.weights) views.forEach(weigh);
  if (!data.titled) {
    document.title = say("figure", { name: results().map((id) => values[id].name || amount(id)).join(", ") });
    document.querySelector("h1").textContent = document.title;
  }
  draw();
  show(state.step);
}

/* Lines as thick as derivatives are large, in the colours of their signs; and the scale below them. */
function weigh({ uses, lines, texts }) {
  const [thinnest, thickest, spread] = data.weights;
  const thick = (share) => thinnest + (thickest - thinnest) * Math.min(share, 1) ** spread;
  const own = lines.filter((line) => line.weight && line.way === "backward" && line.wire);
  const slope = ({ wire, value }) => Number((uses[wire.replace("-begun", "")] ?? values[value]).grad?.[1]);
  const most = Math.max(0, ...own.map((line) => Math.abs(slope(line))).filter(Number.isFinite));
  for (const line of own) {
    const x = slope(line);
    if (Number.isNaN(x)) continue; // an array's, which stays
    line.weight = most ? thick(Math.abs(x) / most) : thinnest;
    line.head = 0.65 + 0.1 * line.weight;
    const lit = (line.looks ?? "").split(" ").filter((look) => look === "lit" || look === "pale");
    line.looks = [...lit, x < 0 ? "negative" : x === 0 ? "nothing" : ""].join(" ").trim();
  }
  let share = 1;
  for (const text of texts) {
    if (!text.text.startsWith("|∂| = ")) continue;
    text.text = `|∂| = ${numberText(most * share)}`;
    share /= 10;
  }
}

const results = () => Object.values(view.uses).filter((use) => use.op === null).map((use) => use.value);

/* A number as on the figure: integers exactly, others to four significant places. */
function numberText(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let places = Math.max(4, Math.trunc(size).toLocaleString("fullwide", { useGrouping: false }).length);
  let rounded = Number.isInteger(size) ? size : roundTo(size, places);
  while (Number.isInteger(rounded) && Math.abs(rounded - size) > 1e-6 * size) rounded = roundTo(size, ++places);
  const sign = value < 0 && rounded ? "−" : "";
  if (rounded < 1e15 && (rounded >= 1e-4 || rounded === 0)) {
    const [whole, rest] = String(rounded).split(".");
    return sign + whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
  }
  const [mantissa, exponent] = roundTo(rounded, 4).toExponential().split("e");
  return `${sign}${mantissa}e${Number(exponent)}`.replace("e-", "e−");
}

/* To so many significant places; of two that are as near, the even one. */
function roundTo(size, places) {
  const [digits, exponent] = size.toExponential(60).replace(".", "").split("e");
  const tie = /^50*$/.test(digits.slice(places)) && digits[places - 1] % 2 === 0;
  return tie ? Number(`${digits.slice(0, places)}e${exponent - places + 1}`) : Number(size.toPrecision(places));
}

/* A number that was typed; NaN for what is none, or infinite. */
function numberOf(typed) {
  const plain = typed.trim().replace("−", "-");
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(number) ? number : NaN;
}

/* The fields: for each number one to type in and a slider, which know of each other. */
const resets = [];
const fields = [
  html("div", "head", {}, html("h2", "", {}, words.numbers), dismisser()),
  ...(data.fixed.length ? [html("p", "", {}, words.fixed), html("ul", "", {}, data.fixed.map(({ why, name }) => html("li", "", {}, say(why, { name }))))] : []),
  ...data.leaves.map(fieldOf),
];
if (data.leaves.length) {
  const reset = html("button", "wide", { type: "button", id: "reset" }, words.reset);
  reset.addEventListener("click", () => {
    Object.assign(given, first);
    for (const write of resets) write();
    compute();
  });
  fields.push(html("p", "made"), html("p", "", {}, reset));
}

/* The fields, each with the derivative by its number, as far as the figure has come and an exercise allows; and what comes out. */
function showFields() {
  if (!panel.contains(fields[0])) panel.replaceChildren(...fields);
  for (const line of panel.querySelectorAll(".slope")) {
    const { id } = line.dataset;
    const reached = usesOf(id).length && usesOf(id).every(([, use]) => use.back && use.back <= state.step);
    line.textContent = reached && known(id) && values[id].grad ? `${values[id].d} = ${values[id].grad[0]}` : "";
  }
  const made = panel.querySelector(".made");
  if (made) made.textContent = results().filter((id) => values[id].made).map((id) => `${calledIn(id)} = ${amount(id)}`).join(", ");
}

function fieldOf(id) {
  const name = values[id].name || values[id].symbol || values[id].called || words[values[id].kind];
  const typed = html("input", "", { type: "text", inputmode: "decimal", id: `number-${id}`, autocomplete: "off", "aria-describedby": `problem-${id}` });
  const reach = 2 * Math.abs(first[id]) || 1;
  const step = 10 ** (Math.floor(Math.log10(reach)) - 2);
  const rounded = Number((Math.ceil(reach / step) * step).toPrecision(6));
  const slide = html("input", "", { type: "range", min: -rounded, max: rounded, step: Number(step.toPrecision(1)), "aria-label": say("slider_of", { name }) });
  const problem = html("p", "problem", { id: `problem-${id}`, role: "status" });
  const sound = (ok) => {
    typed.setAttribute("aria-invalid", !ok);
    problem.textContent = ok ? "" : say("no_number", { name, value: given[id] });
  };
  const write = () => {
    typed.value = slide.value = given[id];
    sound(true);
  };
  typed.addEventListener("input", () => {
    const number = numberOf(typed.value);
    sound(!Number.isNaN(number));
    if (Number.isNaN(number)) return;
    slide.value = given[id] = number;
    compute();
  });
  slide.addEventListener("input", () => {
    typed.value = given[id] = Number(slide.value);
    sound(true);
    compute();
  });
  write();
  resets.push(write);
  return html("div", "field", {}, html("label", "", { for: typed.id }, name), typed, slide, problem, html("p", "slope derivative", { "data-id": id }));
}

function askNumbers(id = data.leaves[0]) {
  if (!state.step) show(view.steps.length);
  choose({ numbers: true });
  byId(`number-${id}`)?.select();
}

/* ---------------------------------------------------------------------------------------------------
   The camera: the corner of the figure at the corner of the stage, and pixels per point */

const LEGIBLE = 0.72; // smaller is for looking around
const LARGEST = 6;
const MARGIN = 24;
const camera = {
  x: 0, y: 0, scale: 1,
  fitted: true, // nobody has moved it
  moved: false, // since the mouse or a finger came down: then it is no click
  narrowed: false, // the panel has just opened beside it
};

function moveCamera(x, y, scale) {
  Object.assign(camera, { x, y, scale });
  applyCamera();
}

/* On paper there is everything, whatever the window shows. */
const paper = matchMedia("print");
function applyCamera() {
  const { width, height } = stage.getBoundingClientRect();
  const { x, y, scale } = camera;
  const box = paper.matches ? [-6, -6, view.size[0] + 12, view.size[1] + 12] : [x, y, Math.max(1, width / scale), Math.max(1, height / scale)];
  figure.setAttribute("viewBox", box.join(" "));
}

/* The scale at which everything is seen, which is never much larger than on paper. */
function wholeScale() {
  const { width, height } = stage.getBoundingClientRect();
  const [w, h] = view.size;
  return Math.min((width - 2 * MARGIN) / (w || 1), (height - 2 * MARGIN) / (h || 1), 1.8);
}

/* Everything, in the middle. A figure too large to be read so is first shown from its beginning. */
function fit(all = false) {
  const { width, height } = stage.getBoundingClientRect();
  const [w, h] = view.size;
  const scale = all ? wholeScale() : Math.max(wholeScale(), LEGIBLE);
  const at = (room, size) => (size * scale + 2 * MARGIN > room ? -MARGIN / scale : (size - room / scale) / 2);
  camera.fitted = true;
  moveCamera(at(width, w), h * scale + 2 * MARGIN > height ? (h - height / scale) / 2 : at(height, h), scale);
}

function zoom(factor, px, py) {
  const box = stage.getBoundingClientRect();
  const [cx, cy] = [px ?? box.width / 2, py ?? box.height / 2];
  const scale = Math.max(Math.min(wholeScale(), 0.2), Math.min(LARGEST, camera.scale * factor));
  camera.fitted = false;
  moveCamera(camera.x + cx / camera.scale - cx / scale, camera.y + cy / camera.scale - cy / scale, scale);
}

/* Moves so far that what is new can be seen. */
let flight = 0;
function follow() {
  const now = view.steps[state.step - 1];
  const current = nodes.filter(({ element }) => element.classList.contains("current"));
  const fresh = elements.filter(({ k }) => k === state.step && k > 0);
  if (now) bring([...current, ...fresh].map(({ element }) => element), now.back ? 0.75 : 0.5);
}

/* Moves elements into the window; if they are too much for it, the first, to a part of its width. */
function bring(wanted, part) {
  const boxes = wanted.map((element) => element.getBBox()).filter((box) => box.width || box.height);
  if (!boxes.length) return;
  const { width, height } = stage.getBoundingClientRect();
  const margin = MARGIN / camera.scale;
  const place = (side, size, from, room) => {
    const low = Math.min(...boxes.map((box) => box[side])) - margin;
    const high = Math.max(...boxes.map((box) => box[side] + box[size])) + margin;
    if (high - low <= room) return Math.min(Math.max(from, high - room), low);
    return boxes[0][side] + boxes[0][size] / 2 - room * part;
  };
  const x = place("x", "width", camera.x, width / camera.scale);
  const y = place("y", "height", camera.y, height / camera.scale);
  if (Math.abs(x - camera.x) + Math.abs(y - camera.y) > 1) fly(x, y);
}

function fly(x, y) {
  cancelAnimationFrame(flight);
  camera.fitted = false;
  const from = { x: camera.x, y: camera.y };
  const began = performance.now();
  const frame = (now) => {
    const t = still.matches ? 1 : Math.min(1, Math.max(0, (now - began) / 300));
    const eased = 1 - (1 - t) ** 3;
    moveCamera(from.x + (x - from.x) * eased, from.y + (y - from.y) * eased, camera.scale);
    if (t < 1) flight = requestAnimationFrame(frame);
  };
  frame(began);
}

/* One finger or the mouse moves; two fingers move and zoom. */
const fingers = new Map();
figure.addEventListener("pointerdown", (event) => {
  cancelAnimationFrame(flight);
  if (!fingers.size) camera.moved = false;
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
});
addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const at = [event.clientX, event.clientY];
  const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  if (!camera.moved && Math.hypot(at[0] - before[0], at[1] - before[1]) < 4) return;
  camera.moved = true;
  camera.fitted = false;
  figure.classList.add("dragging");
  fingers.set(event.pointerId, at);
  const share = others.length ? 0.5 : 1;
  moveCamera(camera.x - ((at[0] - before[0]) * share) / camera.scale, camera.y - ((at[1] - before[1]) * share) / camera.scale, camera.scale);
  if (others.length === 1) {
    const [other] = others;
    const box = stage.getBoundingClientRect();
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
    zoom(apart(at) / apart(before), (at[0] + other[0]) / 2 - box.left, (at[1] + other[1]) / 2 - box.top);
  }
});
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) figure.classList.remove("dragging");
  });
}
figure.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015) * (event.ctrlKey ? 4 : 1)), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
new ResizeObserver(() => {
  if (camera.fitted) fit();
  else applyCamera();
  if (camera.narrowed) bringChosen();
  camera.narrowed = false;
}).observe(stage);
paper.addEventListener("change", applyCamera);

/* ---------------------------------------------------------------------------------------------------
   Buttons and keys */

const press = (id, action) => byId(id).addEventListener("click", action);
press("first", () => stepTo(0));
press("previous", () => stepTo(state.step - 1));
press("play", play);
press("next", () => stepTo(state.step + 1));
press("last", () => stepTo(view.steps.length));
slider.addEventListener("input", () => stepTo(Number(slider.value)));
press("zoom-in", () => zoom(1.25));
press("zoom-out", () => zoom(0.8));
press("fit", () => fit(true));
press("open-all", () => go(data.opened));
press("close-all", () => go(data.closed));
press("numbers", () => (state.chosen?.numbers ? choose(null) : askNumbers()));
press("exercise", () => setExercise(!state.exercise));
press("answers", () => {
  const all = allWires().every((wire) => state.revealed.has(wire));
  state.revealed = new Set(all ? [] : allWires());
  show(state.step);
});
press("print", () => window.print());
press("help", () => setKeys(byId("keys").hidden));
press("theme", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
});

function setKeys(shown) {
  byId("keys").hidden = !shown;
  byId("help").setAttribute("aria-expanded", shown);
}

for (const entry of words.help_keys.split(";")) {
  const [keys, does] = entry.split("|");
  byId("keys").append(html("dt", "", {}, keys), html("dd", "", {}, does));
}

const KEYS = {
  ArrowRight: () => stepTo(state.step + 1),
  ArrowLeft: () => stepTo(state.step - 1),
  PageDown: () => stepTo(state.step + 1),
  PageUp: () => stepTo(state.step - 1),
  Home: () => stepTo(0),
  End: () => stepTo(view.steps.length),
  " ": play,
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  0: () => fit(true),
  "?": () => setKeys(byId("keys").hidden),
  Escape: () => {
    setKeys(false);
    choose(null);
  },
};
addEventListener("keydown", (event) => {
  const action = KEYS[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === " " && event.target.closest?.("button")) return; // presses it
  if (event.key !== "Escape" && event.target.closest?.(".field, .try input")) return; // is typed
  event.preventDefault();
  action();
});

byId("numbers-tools").hidden = !data.leaves.length && !data.fixed.length;
draw();
fit();
if (data.exercise) setExercise(true);
else show(0);
})();
