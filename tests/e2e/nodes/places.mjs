/** The nodes under test, as a load balancer has them. */
export const NODES = JSON.parse(process.env.STACKMENTOR_URLS).map((url) => ({ at: url, url: `${url.replace(/^http/, 'ws')}/ws` }));

/** What is told to other nodes is there within this time, if it is to be there at once, ms. */
export const AT_ONCE_MS = 1_000;
