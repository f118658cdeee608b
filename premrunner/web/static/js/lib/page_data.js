/** What the server wrote into the page's head. */
export const csrfToken = () => document.querySelector('meta[name="csrf-token"]').content;
