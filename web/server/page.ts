// The description of the interface as a page that a person reads: one file without scripts, from no other host.

import { html, raw } from 'hono/html';
import { type Operation, operations } from './openapi.ts';

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
  h2 { font-size: 1.1rem; margin-top: 2rem }
  code, pre { font-family: ui-monospace, monospace; font-size: .9rem }
  pre { padding: .8rem; overflow-x: auto; background: color-mix(in srgb, currentColor 8%, transparent) }
  table { border-collapse: collapse } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
`;

const example = `curl http://127.0.0.1:8080/link -H 'content-type: application/json' \\
  -d '{"word": "mouse", "sentence": "a small rodent", "top": 3}'
curl http://127.0.0.1:8080/link -F word=mouse -F 'sentence=a small rodent' -F image=@mouse.jpg
curl -X PUT http://127.0.0.1:8080/entities/Q1 -F 'name=mouse' -F 'description=a rodent' -F image=@mouse.jpg`;

export function page(version: string, needsToken: boolean) {
  const parts = Object.entries(operations).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => part(method.toUpperCase(), path, operation)),
  );
  const token = needsToken
    ? html`<p>Requests need the header <code>Authorization: Bearer TOKEN</code>.</p>`
    : '';
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>dsmip server</title><style>${raw(style)}</style></head>
<body><h1>dsmip ${version}</h1>
<p>Links mentions, a word in a sentence with or without a picture, to entities of a knowledge base.
Programs read <a href="openapi.json">openapi.json</a>, with all fields.</p>
${token}<pre>${example}</pre>${parts}</body></html>`;
}

function part(method: string, path: string, { summary, parameters = [], form = [], responses }: Operation) {
  const rows = [
    ...parameters.map(({ name, description }) => [name, description]),
    ...(form.length === 0 ? [] : [['fields', form.join(', ')]]),
    ...Object.entries(responses).map(([status, { description }]) => [status, description]),
  ];
  return html`<h2><code>${method} ${path}</code></h2><p>${summary}</p>
<table>${rows.map(([name, text]) => html`<tr><td><code>${name}</code></td><td>${text}</td></tr>`)}</table>`;
}
