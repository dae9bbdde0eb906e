# A VNC client made of gtk-vnc's library (Debian packages python3-gi and gir1.2-gtk-vnc-2.0).
# viewer.py PORT PASSWORD ENCODINGS ACTION...
#   ENCODINGS: names of GVnc.ConnectionEncoding with commas between
#   ACTION:    key:KEYSYM:SCANCODE:DOWN (hexadecimal keysym and scan code), pointer:BUTTONS:X:Y, copy:TEXT,
#              or stay: do not end before standard input does
# Prints what happens, a line each, and ends after the actions, or when the connection does.
import ctypes, gi, sys
gi.require_version('GVnc', '1.0')
from gi.repository import GVnc, GLib

port, password, names = sys.argv[1:4]
actions = sys.argv[4:]
loop = GLib.MainLoop()
connection = GVnc.Connection()
buffers = []

def say(*words):
    print(*words, flush=True)

def credential(connection, wanted):
    say('asked for a password')
    connection.set_credential(GVnc.ConnectionCredential.PASSWORD, password)

def frame(width, height):
    say('size', width, height)
    remote = connection.get_pixel_format()
    buffer = (b'\0' * (width * height * 4))
    buffers.append(buffer)
    local = GVnc.PixelFormat()
    for name in ['red_max', 'green_max', 'blue_max', 'red_shift', 'green_shift', 'blue_shift', 'depth', 'bits_per_pixel', 'byte_order', 'true_color_flag']:
        setattr(local, name, getattr(remote, name))
    connection.set_framebuffer(GVnc.BaseFramebuffer.new(buffer, width, height, width * 4, local, remote))

def initialized(connection):
    frame(connection.get_width(), connection.get_height())
    connection.set_encodings([getattr(GVnc.ConnectionEncoding, name) for name in names.split(',')])
    connection.framebuffer_update_request(False, 0, 0, connection.get_width(), connection.get_height())

state = {'acting': False}

def updated(connection, x, y, width, height):
    if state['acting']:
        return
    state['acting'] = True
    say('extended keys', connection.get_ext_key_event())
    say('absolute pointer', connection.get_abs_pointer())
    for action in actions:
        kind, *numbers = action.split(':')
        if kind == 'key':
            keysym, code, down = (int(number, 16) for number in numbers)
            connection.key_event(bool(down), keysym, code)
        elif kind == 'copy':
            text = ctypes.create_string_buffer(numbers[0].encode('latin-1'))
            connection.client_cut_text(ctypes.addressof(text), len(text) - 1)
        elif kind == 'stay':
            GLib.io_add_watch(sys.stdin, GLib.IO_HUP, lambda *_: loop.quit())
        else:
            connection.pointer_event(*(int(number) for number in numbers))
    # Everything was written when the server has answered this.
    connection.framebuffer_update_request(False, 0, 0, 1, 1)
    if 'stay' not in actions:
        connection.connect('vnc-framebuffer-update', lambda *_: loop.quit())
    else:
        connection.connect('vnc-framebuffer-update', lambda *_: connection.framebuffer_update_request(True, 0, 0, 1, 1))

connection.connect('vnc-auth-choose-type', lambda c, types: c.set_auth_type(1 if password == '-' else 2))
connection.connect('vnc-auth-credential', lambda c, wanted: credential(c, wanted))
connection.connect('vnc-auth-failure', lambda c, reason: say('refused:', reason))
connection.connect('vnc-initialized', initialized)
connection.connect('vnc-framebuffer-update', updated)
def cursor_changed(connection, cursor):
    say('cursor', *([cursor.get_width(), cursor.get_height()] if cursor else ['none']))

connection.connect('vnc-cursor-changed', cursor_changed)
connection.connect('vnc-led-state', lambda c: say('leds', c.get_ledstate()))
connection.connect('vnc-pointer-mode-changed', lambda c, absolute: say('pointer is now', 'absolute' if absolute else 'relative'))
connection.connect('vnc-bell', lambda c: say('bell'))
connection.connect('vnc-error', lambda c, message: say('error:', message))
connection.connect('vnc-disconnected', lambda c: (say('disconnected'), loop.quit()))
connection.set_shared(True)
connection.open_host('127.0.0.1', port)
GLib.timeout_add_seconds(100, lambda: (say('nothing happens'), loop.quit()))
loop.run()
