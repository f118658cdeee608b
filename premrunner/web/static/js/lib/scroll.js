// A reader who has scrolled up by more than a line or two reads on undisturbed.
const NEAR_PX = 80;

/** Whether the reader follows the end of the page. */
export function isAtEnd() {
  const page = document.scrollingElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_PX;
}

/** Go to the end; at once, since an animation would lag behind the text. */
export function scrollToEnd() {
  document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight;
}
