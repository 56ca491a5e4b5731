"""What a machine can see on a page and in its picture: characters without a glyph, sideways scrolling, a blank, the mode.

    await faults(page, eye, png, mode)        # ["no glyph: U+0378 'Noto Sans'", …], [] for a good page

A missing glyph is found by drawing: each distinct character in the fonts of its own element, and beside it characters that
no font can have. Equal pictures are tofu. ``eye`` is an empty page of the same browser, in which pictures are read.
"""

from __future__ import annotations

import base64

MISSING = """() => {
  const canvas = new OffscreenCanvas(48, 48), pen = canvas.getContext("2d", { willReadFrequently: true });
  const drawn = (font, text) => {
    pen.clearRect(0, 0, 48, 48); pen.font = font; pen.textBaseline = "middle"; pen.fillText(text, 6, 24);
    return Math.round(pen.measureText(text).width * 64) + ":" + pen.getImageData(0, 0, 48, 48).data.join("");
  };
  const said = new Map();
  const add = (element, text, pseudo) => {
    if (!text) return;
    const style = getComputedStyle(element, pseudo);
    const font = `${style.fontStyle} ${style.fontWeight} 24px ${style.fontFamily}`;
    if (!said.has(font)) said.set(font, new Set());
    for (const character of text) said.get(font).add(character);
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest("script, style")) add(walk.currentNode.parentElement, walk.currentNode.data);
  for (const element of document.querySelectorAll("body, body *")) {
    add(element, element.value && String(element.value)); add(element, element.placeholder);
    for (const pseudo of ["::before", "::after"]) add(element, getComputedStyle(element, pseudo).content.replace(/^(none|normal)$/, ""), pseudo);
  }
  const found = [];
  for (const [font, characters] of said) {
    const none = new Set(["\\u{10FFFF}", "\\u0378", "\\u{2FFFE}"].map(each => drawn(font, each)));
    for (const character of characters)
      if (!/[\\s\\p{Cf}\\p{Cc}]/u.test(character) && none.has(drawn(font, character)))
        found.push("no glyph: U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + " in " + font);
  }
  return found;
}"""

LOOK = """async ({ png, thumb }) => {
  const bytes = Uint8Array.from(atob(png), c => c.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(picture.width, picture.height), pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(pen.getImageData(0, 0, picture.width, picture.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel & 0xffffff, (counts.get(pixel & 0xffffff) || 0) + 1);
  const hex = pixel => "#" + [0, 8, 16].map(by => (pixel >> by & 255).toString(16).padStart(2, "0")).join("");
  const row = y => Array.from(pixels.slice(y * picture.width, (y + 1) * picture.width), hex);
  const column = x => Array.from({ length: picture.height }, (_, y) => hex(pixels[y * picture.width + x]));
  const share = (all, colour) => all.filter(each => each === colour).length / all.length;
  const common = [...counts].sort((a, b) => b[1] - a[1]);
  const answer = { width: picture.width, height: picture.height, colours: counts.size, most: common[0][1] / pixels.length,
    teal: (counts.get(0xc0e000) || 0) / pixels.length, top: share(row(8), "#16191d"), stripes: share(row(8), "#00e0c0"),
    edges: Math.min(share(column(2), "#00a88f"), share(column(picture.width - 3), "#00a88f")), small: "" };
  if (thumb) {
    const high = Math.min(picture.height, Math.round(picture.width * 1.25));
    const small = new OffscreenCanvas(thumb, Math.round(high * thumb / picture.width)), brush = small.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.drawImage(picture, 0, 0, picture.width, high, 0, 0, small.width, small.height);
    const blob = await small.convertToBlob({ type: "image/png" }), raw = new Uint8Array(await blob.arrayBuffer());
    let text = ""; for (const byte of raw) text += String.fromCharCode(byte);
    answer.small = btoa(text);
  }
  return answer;
}"""

COLOURS = 40
MOST = 0.97
"""A page with fewer colours, or with one colour on a larger share of it, is blank or nearly so."""


async def look(eye, png, thumb=0):
    """What is in a picture: size, how many colours, the share of the most common one, the marks of the mode."""
    return await eye.evaluate(LOOK, {"png": base64.b64encode(png).decode(), "thumb": thumb})


def of_mode(seen, mode):
    """What speaks against a picture being of this mode: banner and edges."""
    if mode == 2:
        striped, edged = seen["stripes"] > 0.2, seen["edges"] > 0.8
        return [f"not marked as an exercise: {seen}"] if not (striped and edged) else []
    dark, none = seen["top"] > 0.7, seen["teal"] == seen["edges"] == 0
    return [f"not marked as actual: {seen}"] if not (dark and none) else []


async def faults(page, seen, mode):
    """Everything that is wrong with a page and its picture, one line each. ``seen``: what ``look`` gave."""
    found = [] if seen["colours"] >= COLOURS and seen["most"] <= MOST else [f"blank: {seen}"]
    wide = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    found += [f"scrolls sideways: {wide[0]} in {wide[1]}"] if wide[0] > wide[1] else []
    return [*found, *of_mode(seen, mode), *await page.evaluate(MISSING)]
