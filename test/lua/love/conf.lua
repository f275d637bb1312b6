function love.conf(t)
  t.identity = "weft-conformance"
  t.window.width, t.window.height = 480, 120
  t.window.vsync = 0
  t.modules.audio, t.modules.sound, t.modules.physics, t.modules.joystick = false, false, false, false
end
