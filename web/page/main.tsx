// The page begins here: it reads what the site holds, shows it, and lets a later visit do without a network.

import { render } from 'preact';
import { App } from './app.tsx';
import { type Site, serverMark } from './site.ts';

const root = document.getElementById('app')!;
try {
  const response = await fetch('site.json');
  if (!response.ok) throw new Error(`site.json: status ${response.status}`);
  const canAsk = response.headers.has(serverMark);
  render(<App site={(await response.json()) as Site} canAsk={canAsk} />, root);
} catch (error) {
  render(<p role="alert">The page could not be loaded: {`${(error as Error).message}`}</p>, root);
}
// Private windows have none; the page then needs the network each time.
void navigator.serviceWorker?.register('service-worker.js', { type: 'module' }).catch(() => {});
