// The grammar of ravine.surfaces.parsing, read by hand: a formula is never evaluated as code.

const GRAMMAR = SETTINGS.grammar;
const ALIASES = {"−": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "^": "**"};
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";
const TOKEN = new RegExp(
  "(?<number>(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?)" +
  `|(?<name>(?![${RAISED}])[\\p{L}\\p{Nl}\\p{No}](?:(?![${RAISED}])[\\p{L}\\p{N}_])*)` +
  `|(?<raised>[${RAISED}]+)` +
  "|(?<sign>\\*\\*|[-+*/^(),−×·⋅÷])", "uy");

export class FormulaError extends Error {
  constructor(text, at, said) {
    super(said);
    this.position = [...text.slice(0, at)].length;
  }
}

export const node = (kind, parts = [], value = null) => ({kind, parts, value});

export function parse(text) {
  const fail = (said, at) => { throw new FormulaError(text, at, said); };
  if ([...text].length > GRAMMAR.longest) fail(`only ${GRAMMAR.longest} characters are allowed`, text.length);
  const tokens = [...split(text, fail)];
  const depths = new Map();
  let next = 0;
  let brackets = 0;
  const here = () => tokens[next];
  const take = () => tokens[next < tokens.length - 1 ? next++ : next];
  const shown = (token) => (token.kind === "end" ? "the end" : `“${token.text}”`);
  const taken = (...signs) => (here().kind === "sign" && signs.includes(here().text) ? take() : null);

  function made(kind, parts, at, value = null) {
    const result = node(kind, parts, value);
    const depth = 1 + Math.max(0, ...parts.map((part) => depths.get(part)));
    depths.set(result, depth);
    if (depth > GRAMMAR.deepest) fail(`more than ${GRAMMAR.deepest} operations within one another`, at.at);
    return result;
  }
  function deeper(at, read) {
    if (++brackets > GRAMMAR.nested) fail(`more than ${GRAMMAR.nested} brackets or signs within one another`, at.at);
    const result = read();
    brackets--;
    return result;
  }
  const negated = (sign, inside) => (sign.text === "-" ? made("negative", [inside], sign) : inside);

  function sum() {
    let left = product();
    for (let sign; (sign = taken("+", "-")); ) left = made(sign.text, [left, product()], sign);
    return left;
  }
  function product() {
    const minus = taken("-", "+");
    if (minus) return negated(minus, deeper(minus, product));
    let left = signed();
    for (let sign; (sign = taken("*", "/")); ) left = made(sign.text, [left, signed()], sign);
    return left;
  }
  function signed() {
    const sign = taken("-", "+");
    return sign ? negated(sign, deeper(sign, signed)) : power_();
  }
  function power_() {
    const base = atom();
    const sign = taken("**");
    if (sign) return made("power", [base, deeper(sign, signed)], sign);
    if (here().kind !== "raised") return base;
    const raised = take();
    const digits = [...raised.text].map((c) => "0123456789-"[RAISED.indexOf(c)]).join("");
    if (!/^-?[0-9]+$/.test(digits)) fail(`${shown(raised)} is no exponent`, raised.at);
    let exponent = number(digits.replace("-", ""), raised);
    if (digits[0] === "-") exponent = made("negative", [exponent], raised);
    return made("power", [base, exponent], raised);
  }
  function atom() {
    if (tokens.length === 1) fail("it is empty; write one such as 5*x**2 + 2*x*y", 0);
    const token = take();
    if (token.kind === "number") return number(token.text, token);
    if (token.kind === "name") return named(token);
    if (token.text !== "(") fail(`found ${shown(token)} where a number, x, y or “(” is needed`, token.at);
    const inside = deeper(token, sum);
    close(token);
    return inside;
  }
  function named(token) {
    const name = token.text;
    if (GRAMMAR.variables.includes(name)) return made("symbol", [], token, name);
    if (Object.hasOwn(GRAMMAR.constants, name)) return made("number", [], token, GRAMMAR.constants[name]);
    if (!GRAMMAR.callable.includes(name)) fail(`unknown name “${name}”${meant(name)}`, token.at);
    const opening = taken("(");
    if (!opening) fail(`${name} is a function; write ${name}(…)`, token.at);
    const inside = deeper(opening, sum);
    if (here().text === ",") fail(`${name} takes one number`, here().at);
    close(opening);
    return made(name, [inside], token);
  }
  function number(digits, token) {
    const value = Number(digits);
    if (value === Infinity) fail(`${shown(token)} is too large a number`, token.at);
    return made("number", [], token, value);
  }
  function close(opening) {
    if (here().text === ")") take();
    else if (here().kind === "end") fail("this “(” is never closed", opening.at);
    else fail(`found ${shown(here())} where an operator or “)” is needed${hint()}`, here().at);
  }
  function hint() {
    const before = tokens[next - 1];
    if (!["number", "name"].includes(here().kind) && here().text !== "(") return "";
    const side = (token) => ("()".includes(token.text) ? "(…)" : token.text);
    return `; for a product write ${side(before)}*${side(here())}`;
  }

  const whole = sum();
  const end = here();
  if (end.text === ")") fail("found “)” without its “(”", end.at);
  if (end.text === ",") fail("found “,”; write decimals with a point", end.at);
  if (end.kind !== "end") fail(`found ${shown(end)} where an operator is needed${hint()}`, end.at);
  return whole;
}

function* split(text, fail) {
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text[at])) { at++; continue; }
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (!found) fail(`found “${String.fromCodePoint(text.codePointAt(at))}”, which is not allowed`, at);
    const kind = Object.keys(found.groups).find((key) => found.groups[key] !== undefined);
    yield {kind, text: ALIASES[found[0]] ?? found[0], at};
    at = TOKEN.lastIndex;
  }
  yield {kind: "end", text: "", at: text.length};
}

function meant(name) {
  if (/^[xy]+$/.test(name)) return `; write ${[...name].join("*")}`;
  const raised = /^([xy])_?([0-9]+)$/.exec(name);
  return raised ? `; write ${raised[1]}**${raised[2]}` : `; known are x, y, pi, e, ${GRAMMAR.callable.join(", ")}`;
}
