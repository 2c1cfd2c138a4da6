// The console's page. It reads two documents of the worker and draws them; it changes nothing.
'use strict';

const SCHEMA = 1, STATUS_MS = 3000, HISTORY_MS = 10000, TIMEOUT_MS = 8000;
const $ = (id) => document.getElementById(id);

// el makes an element. Texts come from the chain and from clients: they are only ever set as text.
function el(name, attrs, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attrs || {})) if (v !== null && v !== undefined) e.setAttribute(k, v);
  for (const c of children) if (c !== null && c !== undefined) e.append(c);
  return e;
}
function svg(name, attrs, ...children) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attrs || {})) if (v !== null && v !== undefined) e.setAttribute(k, v);
  for (const c of children) if (c) e.append(c);
  return e;
}
function text(id, value, exact) {
  const e = $(id);
  if (e.textContent !== value) e.textContent = value;
  if (exact) e.title = exact; else e.removeAttribute('title');
}

/* Human units, with the exact value on hover. */
const group = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
function digits(v) { // three digits that count
  const a = Math.abs(v);
  if (a >= 99.95 || a === 0) return String(Math.round(v));
  if (a >= 9.995) return v.toFixed(1).replace(/\.0$/, '');
  return v.toFixed(2).replace(/\.?0+$/, '');
}
function scaled(v, base, names) {
  let i = 0;
  for (v = Number(v); Math.abs(v) >= 999.5 && i < names.length - 1; i++) v /= base;
  return digits(v) + names[i];
}
const count = (v) => scaled(v, 1000, ['', ' k', ' M', ' G', ' T', ' P', ' E']);
const bytes = (v) => scaled(v, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB', ' EiB']);
const plural = (n, one, many) => `${group(n)} ${n === 1 ? one : many || one + 's'}`;
// money writes units: a denomination u... is a millionth of what people speak of.
function money(units, denom) {
  if (units === null || units === undefined || units === '') return '–';
  const v = Number(units);
  if (/^u[a-z]{2,}$/.test(denom || '') && Math.abs(v) >= 10000) return `${scaled(v / 1e6, 1000, ['', ' k', ' M', ' G', ' T'])} ${denom.slice(1).toUpperCase()}`;
  return `${Number.isInteger(v) && Math.abs(v) < 1e6 ? group(v) : count(v)}${denom ? ' ' + denom : ''}`;
}
function exactMoney(units, denom) { return units ? `${group(units)} ${denom || 'units'}` : ''; }
function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}
const seconds = (v) => v < 60 ? `${digits(v)} s` : span(v);
const short = (t, n = 10) => t && t.length > 2 * n + 1 ? `${t.slice(0, n)}…${t.slice(-n)}` : t;

/* Charts. */
const CHARTS = [
  { name: 'requests', title: 'Requests', color: 'accent', write: (v) => `${count(v)}/s`, exact: (v) => `${v.toFixed(3)} per second` },
  { name: 'bytes', title: 'Traffic', color: 'blue', base: 1024, write: (v) => `${bytes(v)}/s`, exact: (v) => `${group(Math.round(v))} bytes per second` },
  { name: 'sessions', title: 'Sessions', color: 'violet', whole: true, write: count, exact: (v) => plural(Math.round(v), 'session') },
  { name: 'lanes', title: 'Lanes', color: 'violet', whole: true, write: count, exact: (v) => plural(Math.round(v), 'lane') },
  { name: 'unsettled', title: 'Unsettled value', color: 'amber', money: true },
  { name: 'settled', title: 'Settled value', color: 'accent', money: true, loose: true },
  { name: 'store', title: 'Store used', color: 'blue', base: 1024, write: bytes, exact: (v) => `${group(Math.round(v))} bytes` },
  { name: 'memory', title: 'Memory', color: 'blue', base: 1024, write: bytes, exact: (v) => `${group(Math.round(v))} bytes` },
  { name: 'lag', title: 'Chain lag', color: 'red', write: seconds, exact: (v) => `${v.toFixed(2)} seconds since the height rose` },
];
const W = 380, H = 170, L = 58, R = 8, T = 10, B = 24;
let denom = '', range = '1h', picture = null;
const charts = new Map();

function niceStep(raw, base) {
  const p = base === 1024 && raw >= 1024 ? Math.pow(1024, Math.floor(Math.log(raw) / Math.log(1024))) : 1;
  const r = raw / p, m = Math.pow(10, Math.floor(Math.log10(r)));
  const f = r / m;
  return (f <= 1 ? 1 : f <= 2 ? 2 : f <= 5 ? 5 : 10) * m * p;
}
function scale(low, high, spec) {
  if (high === low) high = low + (spec.whole ? 4 : Math.abs(low) || 1);
  let step = niceStep((high - low) / 4, spec.base);
  if (spec.whole) step = Math.max(1, Math.round(step));
  const from = Math.floor(low / step) * step, ticks = [];
  for (let v = from; v < high + step * 0.999; v += step) ticks.push(v);
  return { from, to: ticks[ticks.length - 1], ticks };
}
function timeTicks(start, end) {
  const steps = [600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 604800];
  const step = steps.find((s) => (end - start) / s <= 5) || steps[steps.length - 1];
  const zone = new Date(start * 1000).getTimezoneOffset() * 60, ticks = [];
  for (let t = Math.ceil((start - zone) / step) * step + zone; t <= end; t += step) ticks.push(t);
  return ticks;
}
const clock = (t, long) => new Date(t * 1000).toLocaleString([], long
  ? { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: range === '1h' ? '2-digit' : undefined, hour12: false }
  : range === '30d' ? { month: 'short', day: 'numeric' } : { hour: '2-digit', minute: '2-digit', hour12: false });

function makeChart(spec) {
  if (spec.money) {
    spec.write = (v) => money(v, denom);
    spec.exact = (v) => `${group(Math.round(v))} ${denom || 'units'}`;
  }
  const latest = el('span', { class: 'latest' }, '–');
  const plot = svg('svg', { class: 'plot', viewBox: `0 0 ${W} ${H}`, role: 'img', tabindex: '0', id: `plot-${spec.name}` });
  const table = el('tbody');
  const details = el('details', {}, el('summary', {}, 'as a table'),
    el('div', { class: 'values', tabindex: '0', role: 'region', 'aria-label': `${spec.title}, values` },
      el('table', {}, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Time'), el('th', { scope: 'col', class: 'n' }, spec.title))), table)));
  const figure = el('figure', { class: 'chart', 'data-series': spec.name },
    el('figcaption', {}, el('span', { class: 'name' }, spec.title), latest), plot, details);
  const chart = { spec, plot, latest, details, table, at: null };
  details.addEventListener('toggle', () => fillTable(chart));
  plot.addEventListener('pointermove', (e) => pointAt(chart, e.clientX, e.clientY));
  plot.addEventListener('pointerdown', (e) => pointAt(chart, e.clientX, e.clientY));
  plot.addEventListener('pointerleave', () => unpoint(chart));
  plot.addEventListener('blur', () => unpoint(chart));
  plot.addEventListener('keydown', (e) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -1e9, End: 1e9 }[e.key];
    if (e.key === 'Escape') unpoint(chart);
    if (!move || !chart.known || !chart.known.length) return;
    e.preventDefault();
    const i = chart.at === null ? chart.known.length - 1 : chart.known.indexOf(chart.at);
    select(chart, chart.known[Math.min(chart.known.length - 1, Math.max(0, i + move))], null, null);
  });
  charts.set(spec.name, chart);
  return figure;
}
function drawChart(chart, line) {
  const { spec, plot } = chart, mean = line.mean, top = line.max || line.mean, n = mean.length;
  chart.line = line;
  chart.known = [];
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < n; i++) {
    if (mean[i] === null) continue;
    chart.known.push(i);
    low = Math.min(low, mean[i]);
    high = Math.max(high, top[i]);
  }
  plot.replaceChildren();
  const end = picture.start + (n - 1) * picture.step_seconds;
  const x = (i) => L + (W - L - R) * i / (n - 1);
  const empty = chart.known.length === 0;
  // A sum that only grows is looked at by its growth; everything else stands on zero.
  const s = empty ? scale(0, 1, {}) : scale(spec.loose && low > 0 && high > low ? low : 0, high, spec);
  const y = (v) => T + (H - T - B) * (1 - (v - s.from) / (s.to - s.from || 1));
  chart.x = x; chart.y = y;
  if (!empty) for (const v of s.ticks) {
    plot.append(svg('line', { class: 'gridline', x1: L, x2: W - R, y1: y(v), y2: y(v) }));
    const label = svg('text', { x: L - 7, y: y(v) + 4, 'text-anchor': 'end' });
    label.textContent = spec.money ? money(v, '').trim() && axisMoney(v) : spec.write(v);
    plot.append(label);
  }
  for (const t of timeTicks(picture.start, end)) {
    const at = L + (W - L - R) * (t - picture.start) / (end - picture.start);
    plot.append(svg('line', { class: 'axis', x1: at, x2: at, y1: H - B, y2: H - B + 4 }));
    const label = svg('text', { x: at, y: H - 6, 'text-anchor': at > W - 30 ? 'end' : 'middle' });
    label.textContent = clock(t);
    plot.append(label);
  }
  plot.append(svg('line', { class: 'axis', x1: L, x2: W - R, y1: H - B, y2: H - B }));
  const title = svg('title');
  plot.append(title);
  if (empty) {
    const label = svg('text', { x: (L + W) / 2, y: H / 2, 'text-anchor': 'middle' });
    label.textContent = 'no values yet';
    plot.append(label);
    chart.latest.textContent = '–';
    plot.setAttribute('aria-label', `${spec.title}: no values yet`);
    return;
  }
  // Runs of steps with values; where there is none, the line breaks.
  let run = [];
  const flush = () => {
    if (!run.length) return;
    if (run.length === 1) {
      plot.append(svg('circle', { class: `fill c-${spec.color}`, cx: x(run[0]), cy: y(mean[run[0]]), r: 2 }));
    } else {
      const path = (value) => run.map((i) => `${x(i).toFixed(1)},${y(value[i]).toFixed(1)}`);
      const back = (value) => run.slice().reverse().map((i) => `${x(i).toFixed(1)},${y(value[i]).toFixed(1)}`);
      const low = y(Math.max(s.from, 0)).toFixed(1);
      plot.append(svg('path', { class: `area c-${spec.color}`, d: `M${x(run[0]).toFixed(1)},${low}L${path(mean).join('L')}L${x(run[run.length - 1]).toFixed(1)},${low}Z` }));
      if (line.max) plot.append(svg('path', { class: `peak c-${spec.color}`, d: `M${path(top).join('L')}L${back(mean).join('L')}Z` }));
      plot.append(svg('path', { class: `line c-${spec.color}`, d: `M${path(mean).join('L')}` }));
    }
    run = [];
  };
  for (let i = 0; i < n; i++) if (mean[i] === null) flush(); else run.push(i);
  flush();
  const now = mean[chart.known[chart.known.length - 1]];
  chart.latest.textContent = spec.write(now);
  chart.latest.title = spec.exact(now);
  const summary = `${spec.title} over ${{ '1h': 'one hour', '24h': '24 hours', '30d': '30 days' }[range]}: now ${spec.write(now)}, least ${spec.write(low)}, most ${spec.write(high)}. Arrow keys read values.`;
  plot.setAttribute('aria-label', summary);
  title.textContent = '';
  if (chart.at !== null) select(chart, Math.min(chart.at, n - 1), chart.px, chart.py);
  if (chart.details.open) fillTable(chart);
}
const axisMoney = (v) => /^u[a-z]{2,}$/.test(denom) && Math.abs(v) >= 10000 ? scaled(v / 1e6, 1000, ['', ' k', ' M', ' G']) : count(v);

function pointAt(chart, px, py) {
  if (!chart.known || !chart.known.length) return;
  const box = chart.plot.getBoundingClientRect(), n = chart.line.mean.length;
  const i = ((px - box.left) / box.width * W - L) / (W - L - R) * (n - 1);
  let best = chart.known[0];
  for (const k of chart.known) if (Math.abs(k - i) < Math.abs(best - i)) best = k;
  select(chart, best, px, py);
}
function select(chart, i, px, py) {
  const v = chart.line.mean[i];
  if (v === null || v === undefined) return unpoint(chart);
  Object.assign(chart, { at: i, px, py });
  for (const old of chart.plot.querySelectorAll('.cursor,.dot')) old.remove();
  chart.plot.append(svg('line', { class: 'cursor', x1: chart.x(i), x2: chart.x(i), y1: T, y2: H - B }),
    svg('circle', { class: `dot c-${chart.spec.color}`, cx: chart.x(i), cy: chart.y(v), r: 4.5 }));
  const box = chart.plot.getBoundingClientRect();
  if (px === null) { px = box.left + chart.x(i) / W * box.width; py = box.top + chart.y(v) / H * box.height; }
  const lines = [el('b', {}, chart.spec.exact(v))];
  if (chart.line.max && chart.line.max[i] !== v) lines.push(`highest ${chart.spec.exact(chart.line.max[i])}`, el('br'));
  tip(px, py, ...lines, clock(picture.start + i * picture.step_seconds, true));
}
function unpoint(chart) {
  chart.at = null;
  for (const old of chart.plot.querySelectorAll('.cursor,.dot')) old.remove();
  $('tip').hidden = true;
}
function tip(px, py, ...children) {
  const t = $('tip');
  t.replaceChildren(...children);
  t.hidden = false;
  const w = t.offsetWidth, h = t.offsetHeight;
  t.style.left = `${Math.min(innerWidth - w - 8, Math.max(8, px + 14))}px`;
  t.style.top = `${py - h - 14 < 4 ? py + 18 : py - h - 14}px`;
}
function fillTable(chart) {
  if (!chart.details.open || !chart.known) return;
  // The newest first, at most sixty rows: more is in the document.
  chart.table.replaceChildren(...chart.known.slice(-60).reverse().map((i) => el('tr', {},
    el('td', {}, clock(picture.start + i * picture.step_seconds, true)), el('td', { class: 'n' }, chart.spec.exact(chart.line.mean[i])))));
}
function drawPicture() {
  if (!picture) return;
  for (const line of picture.series) if (charts.has(line.name)) drawChart(charts.get(line.name), line);
}

/* The status. */
const MONEY = [['settled', 'Settled', 'accent'], ['submitted', 'Submitted', 'blue'], ['pending', 'Pending', 'amber'], ['refused', 'Refused', 'red']];
const STATES = { open: 'open', closing: 'closing', paid: 'paid', set_aside: 'set aside' };

function facts(id, rows) {
  $(id).replaceChildren(...rows.filter(Boolean).flatMap(([name, value, exact, bad]) =>
    [el('dt', {}, name), el('dd', { title: exact, class: bad ? 'bad' : null }, value)]));
}
// bar is one row of parts that add up; parts are [color, BigInt, title].
function bar(id, label, parts) {
  const total = parts.reduce((s, p) => s + p[1], 0n);
  const out = svg('svg', { viewBox: '0 0 1000 16', preserveAspectRatio: 'none', class: 'amounts', role: 'img', 'aria-label': label, height: '16' });
  out.append(svg('rect', { class: 'fill c-soft', width: 1000, height: 16, rx: 4 }));
  let at = 0;
  for (const [color, value, title] of parts) {
    if (total === 0n || value === 0n) continue;
    const w = Math.max(2, Number(value * 100000n / total) / 100), r = svg('rect', { class: `fill c-${color}`, x: at, width: w, height: 16 }), t = svg('title');
    t.textContent = title;
    r.append(t);
    out.append(r);
    at += w;
  }
  $(id).replaceChildren(out);
}
const big = (v) => { try { return BigInt(v || 0); } catch { return 0n; } };

function drawStatus(s) {
  const d = s.money.denom || '', m = s.money, was = denom;
  denom = d;
  const refused = Object.values(m.refused || {}).reduce((sum, a) => sum + big(a.amount), 0n);
  const name = s.worker.id ? `Worker ${s.worker.id}` : 'Worker, not registered';
  document.title = `${s.ready ? '' : '(!) '}${name} · ${s.chain.chain_id || 'no chain'}`;
  text('title', name);
  text('subtitle', `${s.chain.chain_id || 'no chain in sight'} · listens on ${s.listen} · up ${span((new Date(s.at) - new Date(s.started)) / 1000)}`);
  const warned = s.health.some((p) => p.state === 'warning');
  text('ready', s.ready ? (warned ? 'Ready, with warnings' : 'Ready') : 'Not ready');
  $('ready').className = `pill ${s.ready ? (warned ? 'warning' : 'ok') : 'fault'}`;

  const v = s.served;
  text('t-requests', `${count(v.requests_per_second)}/s`, `${v.requests_per_second} per second`);
  text('t-requests-note', `${count(v.requests)} since the start`);
  text('t-bytes', `${bytes(v.bytes_per_second)}/s`, `${group(Math.round(v.bytes_per_second))} bytes per second`);
  text('t-bytes-note', `${bytes(v.bytes)} since the start`);
  text('t-sessions', group(s.sessions));
  text('t-sessions-note', `${plural(s.lanes.held, 'lane')}, ${plural(v.connections, 'connection')}`);
  text('t-unsettled', money(m.unsettled, d), exactMoney(m.unsettled, d));
  text('t-unsettled-note', big(m.endangered) > 0n ? `${money(m.endangered, d)} in danger` : 'none in danger');
  text('t-settled', money(m.settled.amount, d), exactMoney(m.settled.amount, d));
  text('t-settled-note', `${plural(s.settling.settlements, 'settlement')} since the start`);
  const now = s.earned.epochs.find((e) => e.state === 'open');
  text('t-earned', now ? money(now.node, s.earned.denom) : '–', now ? exactMoney(now.node, s.earned.denom) : '');
  const left = (new Date(s.chain.epoch_end) - new Date(s.at)) / 1000;
  text('t-earned-note', s.chain.epoch ? `epoch ${s.chain.epoch}${left > 0 ? `, ${span(left)} left` : ', closing'}` : 'no epoch in sight');

  const bad = s.health.filter((p) => p.state !== 'ok').length;
  text('health-note', bad ? `${plural(bad, 'part')} of ${s.health.length} to look at` : `all ${s.health.length} parts in order`);
  $('health').replaceChildren(...s.health.map((p) => el('li', { class: `part ${p.state}`, 'data-part': p.part },
    el('span', { class: 'mark', 'aria-hidden': 'true' }, p.state === 'ok' ? '✓' : '!'),
    el('div', {}, el('b', {}, p.part), p.state === 'ok' ? el('span', { class: 'sub' }, '') : ` ${p.state}`,
      p.reason ? el('p', {}, p.reason) : null, p.advice ? el('p', { class: 'advice' }, p.advice) : null))));

  const parts = { settled: big(m.settled.amount), submitted: big(m.submitted.amount), pending: big(m.pending.amount), refused };
  bar('money-bar', MONEY.map(([k, n]) => `${n} ${exactMoney(parts[k].toString(), d)}`).join(', '), MONEY.map(([k, n, c]) => [c, parts[k], `${n}: ${exactMoney(parts[k].toString(), d)}`]));
  text('money-note', `${money(m.acknowledged.amount, d)} acknowledged in ${plural(m.acknowledged.lanes, 'lane')}`, exactMoney(m.acknowledged.amount, d));
  $('money').replaceChildren(...MONEY.map(([k, n, c]) => el('div', {}, el('dt', {}, svg('svg', { class: 'key', viewBox: '0 0 10 10' }, svg('rect', { class: `fill c-${c}`, width: 10, height: 10, rx: 3 })), n),
    el('dd', { id: `m-${k}`, title: exactMoney(parts[k].toString(), d) }, money(parts[k].toString(), d)))));
  const st = s.settling;
  facts('settling', [
    ['Hot account', `${short(st.account)} with ${st.fee_balance || '–'}`, st.account],
    st.last_hash && ['Last settlement', `${short(st.last_hash)} at height ${group(st.last_height)}`, st.last_hash],
    st.in_flight && ['In flight', short(st.in_flight), st.in_flight],
    ['Failures', `${group(st.failures)} since the start`],
    st.last_failure && ['Last failure', st.last_failure],
    st.problem && ['Problem', st.problem, null, true],
    ...Object.entries(m.refused || {}).map(([reason, a]) => [`Refused, ${reason}`, `${money(a.amount, d)} in ${plural(a.lanes, 'lane')}`, exactMoney(a.amount, d)]),
  ]);
  drawEarned(s.earned);

  facts('served', [
    ['Answered', group(v.ok)], ['Refused', `${group(v.refused)} (the client's part)`], ['Failed', group(v.failed), null, v.failed > 0],
    ['Under way', plural(v.requests_in_flight, 'request')],
    ['Content', bytes(v.bytes), `${group(v.bytes)} bytes`],
    ['Paid payload', bytes(v.paid_bytes), `${group(v.paid_bytes)} bytes`], ['Free payload', bytes(v.free_bytes), `${group(v.free_bytes)} bytes`],
    ...Object.entries(v.bytes_by_form || {}).map(([form, n]) => [`As ${form}`, bytes(n), `${group(n)} bytes`]),
  ]);
  facts('lanes', [
    ['Lanes', `${group(s.lanes.held)} of at most ${group(s.lanes.capacity)}`], ['Accounts', `${group(s.lanes.accounts)} in memory`],
    ['Waiting', plural(s.lanes.waiting_streams, 'stream') + ' for credit'],
    ['Credit of a stranger', money(s.lanes.base_credit, d), exactMoney(s.lanes.base_credit, d)], ['Most unsettled', money(s.lanes.max_unsettled, d), exactMoney(s.lanes.max_unsettled, d)],
  ]);
  const free = Math.max(0, s.store.max_bytes - s.store.used_bytes);
  bar('store-bar', `${bytes(s.store.used_bytes)} of ${bytes(s.store.max_bytes)} used`, [['blue', BigInt(s.store.used_bytes), `used ${bytes(s.store.used_bytes)}`], ['soft', BigInt(free), `free ${bytes(free)}`]]);
  facts('store', [
    ['Used', `${bytes(s.store.used_bytes)} of ${bytes(s.store.max_bytes)}`, `${group(s.store.used_bytes)} of ${group(s.store.max_bytes)} bytes`],
    ['Pinned', bytes(s.store.pinned_bytes), `${group(s.store.pinned_bytes)} bytes`], ['Kept for clients', bytes(s.store.held_bytes), `${group(s.store.held_bytes)} bytes`],
    ['Evictable', bytes(s.store.evictable_bytes), `${group(s.store.evictable_bytes)} bytes`], ['Disk', s.store.fault || 'takes writes', null, Boolean(s.store.fault)],
    ['Objects', group(s.store.objects)], ['Damaged, kept aside', group(s.store.quarantined_objects), null, s.store.quarantined_objects > 0],
    ['Memory', bytes(s.process.memory_bytes) + (s.process.memory_limit_bytes ? ` of ${bytes(s.process.memory_limit_bytes)}` : ''), `${group(s.process.memory_bytes)} bytes`],
    ['Files open', `${group(s.process.open_files)} of ${group(s.process.max_files)}`],
  ]);
  facts('chain', [
    ['Height', `${group(s.chain.height)}, ${s.chain.lag_seconds < 0 ? 'not seen yet' : `${digits(s.chain.lag_seconds)} s ago`}`],
    ['Epoch', s.chain.epoch ? `${group(s.chain.epoch)} until ${new Date(s.chain.epoch_end).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}` : '–'],
    ...s.chain.endpoints.map((e) => [e.used ? 'Endpoint in use' : 'Endpoint', `${e.address}${e.ok ? '' : `: ${e.problem}`}`, null, !e.ok]),
    s.report ? ['Report', `epoch ${s.report.epoch}: ${s.report.state}${s.report.problem ? `, ${s.report.problem}` : ''}`, null, s.report.late] : ['Report', 'left to others'],
    s.worker.operator && ['Operator', short(s.worker.operator), s.worker.operator], ['Peer key', short(s.peer_key), s.peer_key],
  ]);
  text('foot', `edge-worker ${s.version} · ${s.process.goroutines} goroutines · as of ${new Date(s.at).toLocaleTimeString([], { hour12: false })}`);
  document.body.dataset.at = s.at;
  if (was !== d) drawPicture();
}

function drawEarned(e) {
  text('earned-note', e.problem ? `the chain does not answer: ${e.problem}` : `in ${e.denom || 'the settlement coin'}; what is open or closing is an estimate`);
  $('earned').replaceChildren(...(e.epochs.length ? e.epochs.map((v) => el('tr', {},
    el('th', { scope: 'row' }, group(v.epoch)), el('td', { title: v.cause }, el('span', { class: `tag ${v.state}` }, STATES[v.state] || v.state)),
    el('td', { class: 'n', title: exactMoney(v.revenue, e.denom) }, money(v.revenue, e.denom)),
    el('td', { class: 'n', title: exactMoney(v.node, e.denom) }, `${v.state === 'open' || v.state === 'closing' ? '≈ ' : ''}${money(v.node, e.denom)}`),
    el('td', { class: 'n', title: exactMoney(v.tokens, e.token_denom) }, v.state === 'open' || v.state === 'closing' ? '–' : money(v.tokens, e.token_denom)),
    el('td', { class: 'n', title: group(v.requests) }, count(v.requests)), el('td', { class: 'n', title: `${group(v.bytes)} bytes` }, bytes(v.bytes))))
    : [el('tr', {}, el('td', { colspan: '7' }, 'The chain was not asked yet.'))]));
  const w = 1160, h = 132, n = 14, gap = 10, each = (w - gap * (n - 1)) / n, list = e.epochs.slice(0, n).reverse();
  const most = list.reduce((a, v) => big(v.node) > a ? big(v.node) : a, 0n);
  const out = svg('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', class: 'plot', 'aria-label': `What the node earned in the last ${list.length} epochs; the table below has the values` });
  out.append(svg('line', { class: 'axis', x1: 0, x2: w, y1: h - 22, y2: h - 22 }));
  list.forEach((v, i) => {
    const at = (n - list.length + i) * (each + gap), tall = most > 0n ? Number(big(v.node) * 1000n / most) / 1000 * (h - 46) : 0;
    const color = v.state === 'set_aside' ? 'red' : v.state === 'paid' ? 'accent' : 'blue';
    const r = svg('rect', { class: `fill c-${color}`, x: at, y: h - 22 - Math.max(tall, 1), width: each, height: Math.max(tall, 1), rx: 3, opacity: v.state === 'open' ? 0.6 : 1 }), t = svg('title');
    t.textContent = `epoch ${v.epoch}, ${STATES[v.state] || v.state}: ${exactMoney(v.node, e.denom)}`;
    r.append(t);
    const label = svg('text', { x: at + each / 2, y: h - 6, 'text-anchor': 'middle' }), value = svg('text', { x: at + each / 2, y: h - 28 - Math.max(tall, 1), 'text-anchor': 'middle' });
    label.textContent = group(v.epoch);
    value.textContent = axisMoney(Number(v.node));
    out.append(r, label, value);
  });
  $('earned-bars').replaceChildren(...(list.length ? [out] : []));
  $('earned-bars').hidden = innerWidth < 640;
}

/* Asking. One request of a kind at a time; a hidden page does not ask. */
async function ask(path) {
  const res = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: 'no-store', headers: { Accept: 'application/json' } });
  if (!res.ok) throw new Error(`the worker answers ${res.status}`);
  const doc = await res.json();
  if (doc.schema !== SCHEMA) { location.reload(); throw new Error('the worker was upgraded'); }
  return doc;
}
function lost(err) {
  $('lost').hidden = !err;
  if (!err) return;
  $('lost').textContent = `The worker does not answer (${err.name === 'TimeoutError' ? 'too late' : err.message}). What is below is old; the page tries again.`;
  text('ready', 'Out of reach');
  $('ready').className = 'pill fault';
  document.title = '(!) Edge worker out of reach';
}
function every(ms, what) {
  let timer = 0, busy = false;
  const run = async () => {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    try { await what(); } finally { busy = false; timer = setTimeout(run, ms); }
  };
  document.addEventListener('visibilitychange', run);
  run();
  return run;
}

$('charts').append(...CHARTS.map(makeChart));
every(STATUS_MS, async () => {
  try { drawStatus(await ask('/v1/admin/status')); lost(null); } catch (err) { lost(err); }
});
async function history() {
  const wanted = range;
  try {
    const doc = await ask(`/v1/admin/history?range=${wanted}`);
    if (wanted === range) { picture = doc; drawPicture(); }
  } catch { /* the status says that the worker is out of reach */ }
}
every(HISTORY_MS, history);
$('ranges').addEventListener('click', (e) => {
  const b = e.target.closest('button');
  if (!b) return;
  range = b.dataset.range;
  for (const other of $('ranges').children) other.setAttribute('aria-pressed', String(other === b));
  history();
});
