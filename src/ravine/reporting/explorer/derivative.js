// Derivatives of parsed formulas, and formulas as functions: closures, as the page forbids eval.
import {node} from "./formula.js";

const constant = (value) => node("number", [], value);
const is = (part, value) => part.kind === "number" && part.value === value;

function plus(a, b) {
  return is(a, 0) ? b : is(b, 0) ? a : node("+", [a, b]);
}
function minus(a, b) {
  return is(b, 0) ? a : is(a, 0) ? node("negative", [b]) : node("-", [a, b]);
}
function times(a, b) {
  if (is(a, 0) || is(b, 0)) return constant(0);
  return is(a, 1) ? b : is(b, 1) ? a : node("*", [a, b]);
}
function over(a, b) {
  return is(a, 0) ? a : node("/", [a, b]);
}
const call = (kind, inside) => node(kind, [inside]);
const squared = (a) => node("power", [a, constant(2)]);
const moves = (a) => a.kind === "symbol" || a.parts.some(moves);

// The derivative of each function at u.
const OUTER = {
  sqrt: (u) => over(constant(0.5), call("sqrt", u)),
  abs: (u) => call("sign", u),
  sign: () => constant(0),
  sin: (u) => call("cos", u),
  cos: (u) => node("negative", [call("sin", u)]),
  tan: (u) => plus(constant(1), squared(call("tan", u))),
  asin: (u) => over(constant(1), call("sqrt", minus(constant(1), squared(u)))),
  acos: (u) => over(constant(-1), call("sqrt", minus(constant(1), squared(u)))),
  atan: (u) => over(constant(1), plus(constant(1), squared(u))),
  sinh: (u) => call("cosh", u),
  cosh: (u) => call("sinh", u),
  tanh: (u) => minus(constant(1), squared(call("tanh", u))),
  exp: (u) => call("exp", u),
  log: (u) => over(constant(1), u),
};

export function derivative(f, by) {
  if (f.kind === "number") return constant(0);
  if (f.kind === "symbol") return constant(f.value === by ? 1 : 0);
  if (!moves(f)) return constant(0);
  const [a, b] = f.parts;
  const [da, db] = f.parts.map((part) => derivative(part, by));
  switch (f.kind) {
    case "+": return plus(da, db);
    case "-": return minus(da, db);
    case "negative": return minus(constant(0), da);
    case "*": return plus(times(da, b), times(a, db));
    case "/": return minus(over(da, b), over(times(a, db), squared(b)));
    case "power": return powers(f, a, b, da, db);
    default: return times(OUTER[f.kind](a), da);
  }
}

function powers(f, a, b, da, db) {
  if (moves(b)) return times(f, plus(times(db, call("log", a)), over(times(b, da), a)));
  const value = compile(b)(0, 0);
  if (value === 0) return constant(0);
  const lower = value === 1 ? constant(1) : value === 2 ? a : node("power", [a, constant(value - 1)]);
  return times(times(constant(value), lower), da);
}

// A function of x and y.
export function compile(f) {
  if (f.kind === "number") { const value = f.value; return () => value; }
  if (f.kind === "symbol") return f.value === "x" ? (x) => x : (x, y) => y;
  const [a, b] = f.parts.map(compile);
  switch (f.kind) {
    case "+": return (x, y) => a(x, y) + b(x, y);
    case "-": return (x, y) => a(x, y) - b(x, y);
    case "*": return (x, y) => a(x, y) * b(x, y);
    case "/": return (x, y) => a(x, y) / b(x, y);
    case "negative": return (x, y) => -a(x, y);
    case "power": return compilePower(f, a, b);
    case "sign": return (x, y) => sign(a(x, y));
    default: { const call = Math[f.kind]; return (x, y) => call(a(x, y)); }
  }
}

function compilePower(f, a, b) {
  if (moves(f.parts[1])) return (x, y) => power(a(x, y), b(x, y));
  const value = b(0, 0);
  return value < 0 && Number.isInteger(value)
    ? (x, y) => 1 / power(a(x, y), -value)
    : (x, y) => power(a(x, y), value);
}
