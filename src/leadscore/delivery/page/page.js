'use strict';
const byId = id => document.getElementById(id);
const words = JSON.parse(byId('wording').textContent);
const say = (key, values = {}) => words.say[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Numbers and days are the language's own; moments come as the project's clock has them, as if that were UTC.
const plain = new Intl.NumberFormat(words.locale);
const withSign = digits => {
  const format = new Intl.NumberFormat(words.locale, {minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'exceptZero'});
  return value => format.format(value).replace('-', '−');
};
const signed = withSign(2), points = withSign(0);
const share = new Intl.NumberFormat(words.locale, {style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1});
const moment = new Intl.DateTimeFormat(words.locale, {dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC'});
const chance = value => value === null ? '–' : value > 0 && value < 0.0005 ? '<\u00a0' + share.format(0.001) : share.format(value);

// What comes from data is text: elements take it as such, and strings of HTML take it escaped.
const escaped = text => String(text ?? '').replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`);
const cut = (text, most = 80) => !text.trim() ? words.nameless : text.length > most ? text.slice(0, most) + '…' : text;
const element = (tag, text, kind) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

// DataTables wants to be told of the dark; our own style sheet asks by itself.
const dark = matchMedia('(prefers-color-scheme: dark)');
const shade = () => { document.documentElement.dataset.theme = dark.matches ? 'dark' : 'light'; };
dark.addEventListener('change', shade);
shade();

async function unpack(id) {
  const letters = byId(`packed-${id}`).textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(letters) : Uint8Array.from(atob(letters), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
}
const kept = {};
const once = (id, make) => kept[id] ??= make();
const read = id => once(id, async () => JSON.parse(await unpack(id)));
// The digest of the unpacked text stands in the page's policy: an altered library does not run.
const library = id => once(id, async () => {
  const script = document.createElement('script');
  script.textContent = await unpack(id);
  document.head.append(script);
});

const arrows = {improving: '▲', declining: '▼', steady: '=', not_enough_info: '·'};
const grade = letter => letter ? `<span class="grade grade-${escaped(letter)}">${escaped(letter)}</span>` : '–';
const lead = (place, id, under = '') => `<button type="button" class="lead" data-lead="${place}"><bdi>${escaped(cut(id))}</bdi></button>${under}`;
const order = (before, now) => `${before ?? '–'} → ${now ?? '–'}`;

let rows, list;
const reasons = [1, 2, 3];

// DataTables reads what is shown and what is searched as HTML, so both are escaped; what is sorted stays as it is.
function column(name, kind, get, show = escaped, find = get, more = {}) {
  const text = typeof get(0) === 'string';
  return {
    name, className: kind, type: text ? 'string-utf8' : undefined, data: place => get(place),
    render: (value, use, place) => use === 'display' ? show(value, place) : use === 'filter' ? escaped(find(place)) : value,
    ...more,
  };
}
const coded = (name, kind, show) =>
  column(name, kind, place => words.codes[name][rows[name][place]], show, undefined, {type: 'string-utf8'});
const counted = (name, kind, get, show) => column(name, kind, get, show, undefined, {searchable: false, type: 'num'});

const side = sign => sign < 0 ? 'against' : 'for';

function reason(place, most = Infinity) {
  const sentence = rows.text_1[place], way = side(rows.sign_1[place]);
  if (!sentence) return '';
  const sign = `<span class="sign ${way}" aria-hidden="true">${way === 'for' ? '+' : '−'}</span><span class="spoken">${escaped(say(way))}.</span>`;
  return `${sign} ${escaped(cut(sentence, most))}`;
}

function under(place) {
  const line = (kind, html) => html ? `<span class="under ${kind}">${html}</span>` : '';
  return [
    line('todo', escaped(words.codes.action[rows.action[place]])),
    line('likely', escaped(say('told_chance', {chance: chance(rows[`p_${words.ranked}`][place])}))),
    ...words.shown.map((_, number) => line('', rows[`shown_${number}`][place] && escaped(cut(rows[`shown_${number}`][place], 120)))),
    line('because', reason(place, 120)),
  ].join('');
}

const text = (name, kind) => column(name, kind, place => rows[name][place] ?? '');

function columns() {
  const before = place => {
    const gained = rows.before[place] === null ? 0 : rows.score[place] - rows.before[place];
    return gained ? points(gained) : '';
  };
  return [
    counted('rank', 'num', place => rows.rank[place], value => plain.format(value)),
    coded('grade', '', grade),
    column('id', 'who', place => rows.id[place], (value, place) => lead(place, value, under(place)),
      place => rows.id[place].trim() || words.nameless),
    ...words.shown.map((_, number) => text(`shown_${number}`, 'roomy')),
    text('account', 'roomy'),
    counted('score', 'num', place => rows.score[place], (value, place) => `${value} <span class="delta">${escaped(before(place))}</span>`),
    counted('chance', 'num medium', place => rows[`p_${words.ranked}`][place], value => escaped(chance(value))),
    coded('trend', 'medium', (value, place) => `<span aria-hidden="true">${arrows[rows.trend[place]] ?? ''}</span>\u00a0${escaped(value)}`),
    coded('known', 'roomy', escaped),
    coded('action', 'small', escaped),
    column('why', 'medium why', place => rows.text_1[place] ?? '', (_, place) => reason(place),
      place => reasons.map(number => rows[`text_${number}`][place] ?? '').join(' ')),
  ];
}

function said() {
  const aria = {orderable: say('sort'), orderableReverse: say('sort_reverse'), orderableRemove: say('sort_remove'), paginate: {
    first: say('first'), previous: say('previous'), next: say('next'), last: say('last'), number: say('page')}};
  const [thousands, decimal] = ['group', 'decimal'].map(part => new Intl.NumberFormat(words.locale).formatToParts(12345.6).find(one => one.type === part).value);
  return {
    thousands, decimal, aria, info: say('info'), infoFiltered: say('found'), infoEmpty: say('nobody'),
    zeroRecords: say('no_match'), emptyTable: say('nobody'), lengthMenu: say('per_page'),
    paginate: {first: '«', previous: '‹', next: '›', last: '»'},
  };
}

function table(id, name, data, columns, settings) {
  const made = itables.jQuery(`#${id}`).DataTable({
    data, columns, deferRender: true, autoWidth: false, language: said(),
    layout: {topStart: 'info', topEnd: null, bottomStart: 'pageLength', bottomEnd: 'paging'}, ...settings,
  });
  byId(id).closest('.dt-container').querySelector('nav')?.setAttribute('aria-label', `${name}. ${say('pages')}`);
  byId(id).addEventListener('click', event => {
    const button = event.target.closest('button.lead');
    if (button) open(Number(button.dataset.lead));
  });
  byId(id).addEventListener('keydown', event => { // DataTables hears Enter only
    if (event.key === ' ' && event.target.matches('.dt-column-order')) { event.preventDefault(); event.target.click(); }
  });
  return made;
}

function filter(made, id, name, values, exact) {
  const select = byId(id);
  for (const value of values) select.append(new Option(value, value));
  select.addEventListener('change', () => made.column(`${name}:name`).search(select.value, {exact: exact && !!select.value, smart: false}).draw());
}

function showList() {
  list = table('leads', words.labels.list, rows.id.map((_, place) => place), columns(), {
    pageLength: 50, lengthMenu: [25, 50, 100, 500], order: [[0, 'asc']]});
  const filters = ['grade', 'action', 'known', 'trend'];
  for (const name of filters) filter(list, `filter-${name}`, name, Object.values(words.codes[name]), true);
  const search = byId('search');
  // A smart search drops quotes, so what holds some is looked for as it stands, unless they hold it all as a phrase.
  search.addEventListener('input', () => list.search(search.value, {smart: /^("[^"]+"|[^"]*)$/.test(search.value)}).draw());
  byId('tools').addEventListener('submit', event => event.preventDefault());
  byId('tools').addEventListener('reset', () => {
    for (const name of filters) list.column(`${name}:name`).search('');
    list.search('').draw();
  });
  byId('tools').hidden = false;
}

async function showChanges() {
  if (!byId('moves')) return;
  const changes = await read('changes');
  const named = place => changes.moves[place].map(code => words.moves[code]).join(', ');
  const pair = (name, kind, show) => column(name, kind, place => changes[name][place] ?? -1, (_, place) => show(changes[`${name}_before`][place], changes[name][place]), undefined, {searchable: false});
  const who = (value, place) => changes.place[place] === null ? `<bdi class="lead">${escaped(cut(value))}</bdi>` : lead(changes.place[place], value);
  const steps = (before, now) => `${grade(before)} → ${grade(now)}`;
  const moved = place => `<span class="under todo">${steps(changes.grade_before[place], changes.grade[place])} ${escaped(named(place))}</span>`
    + `<span class="under">${escaped(changes.why[place])}</span>`;
  const made = table('moves', words.labels.changes, changes.id.map((_, place) => place), [
    column('id', 'who', place => changes.id[place], (value, place) => who(value, place) + moved(place)),
    column('moves', 'small', named),
    pair('grade', 'steps small', steps),
    pair('score', 'num small', order),
    pair('rank', 'num medium', order),
    column('why', 'medium why', place => changes.why[place]),
  ], {pageLength: 20, lengthMenu: [20, 50, 100], order: []});
  filter(made, 'filter-move', 'moves', Object.values(words.moves), false);
  byId('change-tools').hidden = false;
}

async function start() {
  const [read_rows] = await Promise.all([read('rows'), library('table-library')]);
  rows = read_rows;
  showList();
  byId('plain').hidden = true;
  await showChanges();
  document.body.dataset.ready = 'yes';
  performance.mark('ready');
  (window.requestIdleCallback ?? (later => setTimeout(later, 200)))(() => library('chart-library'));
}

async function draw(figure, spec, datasets) {
  await library('chart-library');
  await vegaEmbed(figure, {...spec, width: figure.clientWidth, autosize: {type: 'fit', contains: 'padding'}, datasets}, {
    mode: 'vega-lite', renderer: 'svg', ast: true, actions: false, defaultStyle: false,
    tooltip: {disableDefaultStyle: true}, formatLocale: words.numbers, timeFormatLocale: words.times,
  });
}

function figure(name) {
  const made = element('figure', undefined, 'chart');
  made.setAttribute('role', 'img');
  made.setAttribute('aria-label', name);
  return made;
}

function standing(place, unanswered) {
  const before = rows.before[place], score = rows.score[place];
  const terms = [
    [words.labels.action, words.codes.action[rows.action[place]], unanswered],
    [words.labels.score, before === null ? score : say('score_now', {score, before})],
    [words.labels.trend, words.codes.trend[rows.trend[place]]],
    [words.labels.known, words.codes.known[rows.known[place]]],
    [words.labels.account, rows.account[place]],
    ...words.shown.map((name, number) => [name, rows[`shown_${number}`][place]]),
  ];
  const list = element('dl', undefined, 'standing');
  for (const [name, value, more] of terms.filter(([, value]) => value !== null)) {
    const pair = element('div'), told = element('dd', value);
    if (more) told.append(element('span', more, 'quiet'));
    pair.append(element('dt', name), told);
    list.append(pair);
  }
  return list;
}

function record(place) {
  const link = element('a', say('record'), 'record');
  link.href = rows.link[place];
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  return link;
}

function bar(weight, most) {
  const cell = element('td'), balance = element('span', undefined, 'balance'), strength = element('i');
  if (weight < 0) strength.className = 'against';
  strength.style.width = `${50 * Math.abs(weight) / most}%`;
  balance.setAttribute('aria-hidden', 'true');
  balance.append(strength);
  cell.append(balance, element('span', say(side(weight)), 'spoken'));
  return cell;
}

function row(section, cells) {
  section.insertRow().append(...cells);
}

function head(made, names, numbers = []) {
  row(made.createTHead(), names.map((name, number) => {
    const cell = element('th', name, numbers.includes(number) ? 'num' : '');
    cell.scope = 'col';
    return cell;
  }));
}

function account(place, panel) {
  const half = element('div'), made = element('table', undefined, 'reasons');
  half.append(element('h3', say('why')), made);
  head(made, [say('reason'), say('effect'), say('weight')], [2]);
  const most = Math.max(...panel.reasons.map(([, weight]) => Math.abs(weight)), Math.abs(panel.others), 1e-9);
  const body = made.createTBody(), foot = made.createTFoot(), number = weight => element('td', signed(weight), 'num');
  for (const [sentence, weight] of panel.reasons) row(body, [element('td', sentence), bar(weight, most), number(weight)]);
  row(foot, [element('td', say('others')), bar(panel.others, most), number(panel.others)]);
  row(foot, [element('td', say('offset')), element('td'), number(panel.offset)]);
  row(foot, [element('td', say('sum')), element('td'), number(panel.margin)]);
  const summed = say('adds_up', {
    reasons: signed(panel.reasons.reduce((sum, [, weight]) => sum + weight, 0)), others: signed(panel.others),
    offset: signed(panel.offset), margin: signed(panel.margin),
    span: words.horizons.find(one => one.code === words.ranked).said, chance: chance(rows[`p_${words.ranked}`][place])});
  half.append(element('p', `${summed} ${say('compare')}`, 'quiet'));
  return half;
}

function brief(place) {
  const half = element('div'), made = element('table', undefined, 'reasons');
  half.append(element('h3', say('why')));
  const told = reasons.map(number => [rows[`text_${number}`][place], rows[`sign_${number}`][place]]).filter(([sentence]) => sentence);
  if (!told.length) return half.append(element('p', say('no_reason'))), half;
  head(made, [say('reason'), say('effect')]);
  const body = made.createTBody();
  for (const [sentence, sign] of told) row(body, [element('td', sentence), element('td', say(side(sign)))]);
  half.append(made, element('p', say('row_reasons', {panels: words.panels}), 'quiet'));
  return half;
}

function readiness(place) {
  const half = element('div'), chart = figure(say('readiness')), made = element('table', undefined, 'reasons');
  const span = words.horizons.find(one => one.code === words.ranked), low = rows.low[place], high = rows.high[place];
  const known = words.horizons.map(one => ({days: one.days, chance: rows[`p_${one.code}`][place], said: one.said}));
  head(made, [say('within'), say('chance')], [1]);
  const body = made.createTBody();
  for (const one of known) row(body, [element('td', one.said), element('td', chance(one.chance), 'num')]);
  const bounds = low === null ? say('no_bounds') : say('bounds', {low: chance(low), high: chance(high), span: span.said});
  half.append(element('h3', say('readiness')), chart, made, element('p', bounds, 'quiet'));
  const curve = [{days: 0, chance: 0, said: ''}, ...known.map(one => ({...one, said: `${one.said}: ${chance(one.chance)}`}))];
  return [half, specs => draw(chart, specs.curve, {points: curve, bounds: low === null ? [] : [{days: span.days, low, high}]})];
}

const whose = code => say({inbound: 'inbound', outbound: 'outbound'}[code] ?? 'unsaid');

const late = panel => panel.touches.some(([, , , learned]) => learned !== null);

function happened(panel) {
  const part = element('div');
  part.append(element('h3', say('happened')));
  if (!panel.touches.length) {
    part.append(element('p', say('quiet'), 'quiet'));
    return [part, () => {}];
  }
  const chart = figure(say('happened'));
  const hints = [say('timeline_hint'), ...late(panel) ? [say('late_hint')] : []];
  part.append(chart, element('p', hints.join(' '), 'quiet'));
  if (panel.hidden) part.append(element('p', say('hidden', {count: plain.format(panel.hidden)}), 'quiet'));
  part.append(touches(panel));
  return [part, specs => timeline(chart, specs.timeline, panel)];
}

function touches(panel) {
  const details = element('details'), made = element('table', undefined, 'plain'), told = late(panel);
  head(made, [say('when'), say('what'), say('side'), ...told ? [say('learned')] : []]);
  const body = made.createTBody();
  for (const [at, label, from, learned] of panel.touches.toReversed()) {
    row(body, [element('td', moment.format(at)), element('td', label), element('td', whose(from)), ...told ? [element('td', learned === null ? say('at_once') : moment.format(learned))] : []]);
  }
  details.append(element('summary', say('touches')), made);
  return details;
}

function timeline(chart, spec, panel) {
  const marks = panel.touches.map(([at, label, from, learned]) => ({
    at, label, learned, side: whose(from), said: `${label}, ${moment.format(at)}${learned === null ? '' : ` (${say('learned').toLowerCase()}: ${moment.format(learned)})`}`}));
  const warmth = panel.warmth.map(([at, temperature]) => ({at, temperature}));
  const rings = marks.filter(mark => mark.learned !== null), [shaded, {layer: [lines, symbols]}] = spec.layer;
  const present = {values: [...new Set(marks.map(mark => mark.side))]}, {shape, color} = symbols.encoding;
  const told = {...symbols, encoding: {...symbols.encoding, shape: {...shape, legend: present}, color: {...color, legend: present}}};
  const layer = [...warmth.length ? [shaded] : [], {layer: rings.length ? [lines, told] : [told]}];
  // Where there is little room, a kind is called above its row, and not beside it.
  const narrow = chart.clientWidth < 500, axisLeft = narrow
    ? {labelColor: 'var(--ink)', labelAlign: 'left', labelBaseline: 'bottom', labelOffset: -5, labelPadding: -5, labelLimit: chart.clientWidth - 70}
    : {labelLimit: 240};
  const height = Math.max(170, (narrow ? 38 : 26) * new Set(marks.map(mark => mark.label)).size + 90);
  return draw(chart, {...spec, layer, height, config: {...spec.config, axisLeft}}, {touches: marks, late: rings, warmth});
}

let turn = 0;

async function open(place) {
  const own = ++turn, dialog = byId('panel'), body = byId('panel-body');
  delete dialog.dataset.drawn;
  dialog.dataset.lead = place;
  const badge = element('span', rows.grade[place], `grade grade-${rows.grade[place]}`);
  byId('panel-title').replaceChildren(badge, ` ${plain.format(rows.rank[place])}. `, element('bdi', cut(rows.id[place], 200)));
  step(place);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const [panels, specs] = await Promise.all([read('panels'), read('specs')]);
  if (own !== turn) return;
  const panel = panels[place], halves = element('div', undefined, 'halves');
  const [ready, drawCurve] = readiness(place);
  halves.append(panel ? account(place, panel) : brief(place), ready);
  body.replaceChildren(standing(place, panel?.unanswered), ...rows.link[place] ? [record(place)] : [], halves);
  const [told, drawTimeline] = panel ? happened(panel) : ['', () => {}];
  body.append(told);
  await drawCurve(specs);
  await drawTimeline(specs);
  if (own === turn) dialog.dataset.drawn = 'yes';
}

// The leads before and after are those of the list as it is sorted and filtered now.
function step(place) {
  const all = list.rows({search: 'applied', order: 'applied'}).data().toArray(), here = all.indexOf(place);
  for (const [id, next] of [['panel-before', all[here - 1]], ['panel-after', here < 0 ? undefined : all[here + 1]]]) {
    byId(id).disabled = next === undefined;
    byId(id).onclick = () => open(next);
  }
}

byId('panel-close').addEventListener('click', () => byId('panel').close());
// The page is painted before the list is unpacked.
requestAnimationFrame(() => setTimeout(() => start().catch(error => {
  byId('plain').hidden = true;
  byId('broken').hidden = false;
  console.error(error);
})));
