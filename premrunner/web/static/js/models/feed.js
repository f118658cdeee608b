const WAIT_FIRST_MS = 500;
const WAIT_LONGEST_MS = 10_000;

/**
 * Follow what imports tell, from a number on; after a break it goes on where it was, so nothing is missed.
 * @param {number} after the last event that the page knows
 * @param {(event: object) => void} onEvent
 * @param {() => void} onReturn called when a line that broke is there again
 */
export function follow(after, onEvent, onReturn) {
  let [last, wait] = [after, WAIT_FIRST_MS];
  const connect = (isBack) => {
    const address = new URL(`/ws/progress?after=${last}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => isBack && onReturn());
    socket.addEventListener("message", ({ data }) => {
      const event = JSON.parse(data);
      [last, wait] = [event.number, WAIT_FIRST_MS];
      onEvent(event);
    });
    socket.addEventListener("close", () => {
      setTimeout(() => connect(true), wait);
      wait = Math.min(wait * 2, WAIT_LONGEST_MS);
    });
  };
  connect(false);
}
