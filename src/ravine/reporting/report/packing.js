// What travels with the page deflated, in base64.
export const bytes = (text) => {
  const characters = atob(text);
  const found = new Uint8Array(characters.length);
  for (let i = 0; i < found.length; i++) found[i] = characters.charCodeAt(i);
  return found;
};
const inflated = (text, format) =>
  new Response(new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream(format)));

export const unpack = (id) => inflated(document.getElementById(id).textContent, "deflate");

// The text of a file that a link saves. It is gzipped until somebody asks for it.
export const fileOf = (link) => inflated(link.href.slice(link.href.indexOf(",") + 1), "gzip").text();

for (const link of document.querySelectorAll("a[download$='.gz']")) {
  link.addEventListener("click", async (event) => {
    if (!link.download.endsWith(".gz")) return;
    event.preventDefault();
    const text = await fileOf(link);
    const plain = document.createElement("a");
    plain.href = URL.createObjectURL(new Blob([text]));
    plain.download = link.download.replace(/\.gz$/, "");
    plain.click();
    setTimeout(() => URL.revokeObjectURL(plain.href), 10000);
  });
}

// Lets the page answer in between.
export const pause = () => new Promise((done) => setTimeout(done));
export const short = (value) => Number(value.toPrecision(4)).toString();
